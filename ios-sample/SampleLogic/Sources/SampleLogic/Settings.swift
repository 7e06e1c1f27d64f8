import Observation
import Sidetone

@MainActor @Observable
public final class SettingsLogic: Logic {
    public private(set) var me: AccountView?
    public private(set) var preferences: Preferences?
    public var server: String { didSet { memory.server = server } }
    public var passphrase = ""
    public private(set) var isExporting = false
    public private(set) var exported: Phrase?
    /// What the server keeps about the account, word for word.
    public private(set) var kept: String?
    /// What this phone did since it was opened.
    public private(set) var figures: [Phrase] = []
    @ObservationIgnored private let client: Client
    @ObservationIgnored private let memory: Memory

    init(_ client: Client, _ memory: Memory) {
        (self.client, self.memory, me) = (client, memory, client.account.value)
        server = memory.server
        super.init()
        follow(client.account.values) { [weak self] in self?.me = $0 }
        follow(client.events) { [weak self] in if $0 == .preferences || $0 == .refresh { await self?.read() } }
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
            let did = try await client.diagnostics()
            figures = [
                Phrase(.figureServer, .number(did.signalingSent), .number(did.signalingReceived)),
                Phrase(.figureFriends, .number(did.recordsSent), .number(did.recordsReceived)),
                Phrase(.figureRefused, .number(did.refusedItems)),
            ]
            kept = try await client.exportAccount()
        }
    }

    public func signOut() async { await attempt { try await client.signOut() } }
    public func deleteAccount() async { await attempt { try await client.deleteAccount() } }

    private func read() async { await refresh { preferences = try await client.preferences() } }
}
