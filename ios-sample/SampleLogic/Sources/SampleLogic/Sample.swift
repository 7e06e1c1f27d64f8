import Foundation
import Observation
import Sidetone

/// Where the app as a whole is.
public enum Stage: Hashable, Sendable {
    case opening
    /// It cannot go on by itself.
    case blocked(Trouble)
    /// Nobody is signed in on this phone.
    case welcome
    case home
}

/// What a person types to come in.
public struct Credentials: Hashable, Sendable {
    public var name = ""
    public var email = ""
    public var password = ""
    public var isNew = true

    public init() {}

    public var isReady: Bool { !name.isEmpty && !password.isEmpty && (!isNew || !email.isEmpty) }
}

/// The app from its start to its end: opens the client, and says which screen comes.
@MainActor @Observable
public final class Sample: Logic {
    public private(set) var stage = Stage.opening
    public private(set) var isBusy = false
    /// What was saved of a damaged store: it may be erased now.
    public private(set) var saved: Phrase?
    public var form = Credentials()
    /// What is behind the screens, from `Stage.home` on.
    public private(set) var home: Home?
    public private(set) var client: Client?
    public let memory: Memory
    /// Where the server wakes this phone while it sleeps: told by the system, at each start.
    public var reach: PushAddress? { didSet { home?.settings.reach = reach } }
    @ObservationIgnored private var starting: Task<Void, Never>?
    @ObservationIgnored private let device: any Device
    @ObservationIgnored private let opening: @MainActor () async throws -> Client

    public init(device: any Device, memory: Memory = Memory(), opening: @escaping @MainActor () async throws -> Client) {
        (self.device, self.memory, self.opening) = (device, memory, opening)
    }

    /// Opens the client; again after the person did something about what blocked it.
    public func start() async {
        // A wake-up and the window may ask at once.
        let under = starting ?? Task { await open() }
        starting = under
        await under.value
        starting = nil
    }

    private func open() async {
        if client != nil {
            if case .blocked = stage { again() }
            return
        }
        stage = .opening
        do {
            let client = try await opening()
            self.client = client
            follow(client.events) { [weak self] in self?.note($0) }
            follow(client.account.values) { [weak self] in self?.show($0, client) }
            follow(client.audio.values) { [device] in device.set($0, client.sound) }
        } catch {
            stage = .blocked((error as? SidetoneError).map { Trouble($0.code) } ?? .other)
        }
    }

    /// A wake-up came: connects, and a call that waits rings.
    public func wake() async {
        if client == nil { await start() }
        client?.handlePush()
    }

    /// Does what was chosen about a call outside of the app, which may be before a screen shows it.
    public func choose(_ choice: CallChoice, of call: Call) async {
        if home == nil, let client { show(client.account.value, client) }
        await home?.choose(choice, of: call)
    }

    /// Registers or signs in.
    public func signIn() async {
        guard let client, form.isReady, !isBusy else { return }
        isBusy = true
        let form = form
        do {
            if form.isNew {
                try await client.register(name: form.name, email: form.email, password: form.password)
            } else {
                try await client.signIn(name: form.name, password: form.password)
            }
            self.form = Credentials()
            dismiss()
        } catch let error as SidetoneError where error.code == .wrongLogin {
            self.form.password = ""
            stage = .blocked(.wrongPassword)
        } catch {
            await attempt { throw error }
        }
        isBusy = false
    }

    /// Back from what blocked the way, to typing again.
    public func again() {
        form.isNew = false
        stage = home == nil ? .welcome : .home
    }

    /// Destroys everything on this phone, the key first.
    public func wipe(downloads: String?) async {
        await attempt { try await client?.wipe(downloads: downloads) }
        await begin()
    }

    /// Meets everybody at another server from now on.
    public func use(_ server: String) async {
        memory.server = server.trimmingCharacters(in: .whitespaces)
        await begin()
    }

    /// As if the app were started now.
    private func begin() async {
        leave()
        close()
        await client?.close()
        client = nil
        await start()
    }

    /// Writes what can still be read of a damaged store into a folder.
    public func salvage(to folder: String, _ store: String, _ vault: any KeyVault) async {
        await attempt {
            let report = try await Client.salvageData(of: store, vault: vault, to: folder)
            saved = Phrase(.exported, .number(report.rows), .number(report.files))
        }
    }

    /// Takes away a store that cannot be opened any more, and begins anew.
    public func erase(_ folder: String, _ vault: any KeyVault) async {
        try? vault.forgetKey()
        try? FileManager.default.removeItem(atPath: folder)
        saved = nil
        await start()
    }

    private func show(_ account: AccountView?, _ client: Client) {
        guard let account else { return leave() }
        guard account.valid else { return stage = .blocked(.signedOut) }
        if home == nil { home = Home(client, device, memory, reach) }
        stage = .home
    }

    private func leave() {
        home?.close()
        home = nil
        if case .blocked = stage { return }
        stage = .welcome
    }

    private func note(_ event: Event) {
        switch event {
        case .revoked(let error), .stopped(let error): stage = .blocked(Trouble(error.code))
        default: break
        }
    }
}
