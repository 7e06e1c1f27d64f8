import Observation
import Sidetone

@MainActor @Observable
public final class SettingsLogic: Logic {
    public private(set) var me: AccountView?
    public private(set) var preferences: Preferences?
    public var server: String
    public var passphrase = ""
    public private(set) var isExporting = false
    public private(set) var exported: Phrase?
    /// What the server keeps about the account, word for word.
    public private(set) var kept: String?
    /// With whom this phone had to do, and what is left of it; nothing before anybody asked.
    public private(set) var receipts: [Receipt]?
    /// How many strangers were erased since the app was started.
    public private(set) var burned: UInt64 = 0
    /// Where the server wakes this phone while it sleeps, told at each connection.
    var reach: PushAddress? { didSet { Task { await wake() } } }
    /// Whether it does.
    public private(set) var isWoken = false
    public private(set) var isOnline = true
    @ObservationIgnored private let client: Client

    init(_ client: Client, _ memory: Memory, _ reach: PushAddress?) {
        (self.client, self.reach, me) = (client, reach, client.account.value)
        server = memory.server
        super.init()
        follow(client.account.values) { [weak self] in self?.me = $0 }
        follow(client.events) { [weak self] in if $0 == .preferences || $0 == .refresh { await self?.read() } }
        follow(client.strangers.events) { [weak self] in if case .ended = $0 { self?.burned += 1 } }
        follow(client.online.values) { [weak self] in
            self?.isOnline = $0
            if $0 { await self?.wake() }
        }
        every(.seconds(3_600)) { [weak self] in await self?.read() }
    }

    public func prefer(_ theme: Theme) async { await attempt { try await client.prefer(theme) } }
    public func prefer(_ routes: RouteRule) async { await attempt { try await client.prefer(routes) } }
    public func prefer(_ addresses: AddressRule) async { await attempt { try await client.setAddresses(addresses) } }
    public func prefer(_ receipts: ReceiptRule) async { await attempt { try await client.setReceipts(receipts) } }

    /// Writes everything into a folder that the person may take along.
    public func export(to folder: String) async {
        (isExporting, exported) = (true, nil)
        await attempt {
            let report = try await client.exportData(to: folder, passphrase: passphrase.isEmpty ? nil : passphrase)
            (exported, passphrase) = (Phrase(.exported, .number(report.rows), .number(report.files)), "")
        }
        isExporting = false
    }

    /// Asks this phone what it did, and the server what it keeps.
    public func readReceipt() async {
        await attempt {
            let names = Dictionary(client.friends.value.map { ($0.user, $0.name) }, uniquingKeysWith: { $1 })
            receipts = try await client.privacyReceipts().map { Receipt($0, names) }
            kept = try await client.exportAccount()
        }
    }

    public func signOut() async { await attempt { try await client.signOut() } }
    public func deleteAccount() async { await attempt { try await client.deleteAccount() } }

    /// The user did not ask for it, and it is tried again.
    private func wake() async {
        guard (try? await client.setPush(reach)) != nil else { return }
        isWoken = reach != nil
    }

    private func read() async { await refresh { preferences = try await client.preferences() } }
}

/// What one acquaintance came to.
public struct Receipt: Hashable, Sendable, Identifiable {
    public let about: PrivacyReceipt
    /// With whom it was.
    public let who: Phrase
    public var id: ReceiptPeer { about.peer }

    init(_ about: PrivacyReceipt, _ names: [UserId: String]) {
        self.about = about
        who =
            switch about.peer {
            case .friend(let user): names[user].map { Phrase(.plain, .text($0)) } ?? Phrase(.somebody)
            case .room: Phrase(.aRoom)
            case .stranger: Phrase(.aStranger)
            }
    }

    /// How long it was.
    public var took: Phrase { about.tookMs.map { Phrase(.plain, .seconds($0 / 1_000)) } ?? Phrase(.receiptLasting) }

    /// How it travelled, what is kept, and what was erased.
    public var figures: [Phrase] {
        [
            Phrase(.receiptDirect, .bytes(about.direct.sent + about.direct.received)),
            Phrase(.receiptRelay, .bytes(about.relay.sent + about.relay.received)),
            Phrase(.figureServer, .bytes(about.signaling.sent + about.signaling.received)),
            Phrase(.receiptKept, .number(UInt64(about.kept.rows))),
        ] + (about.erased.map { [Phrase(.receiptErased, .number(UInt64($0.keys)))] } ?? [])
    }
}

extension Phrase {
    /// What its number counts, where that is said.
    public var unit: Word? {
        switch word {
        case .receiptKept: .entries
        case .receiptErased: .keys
        default: nil
        }
    }
}
