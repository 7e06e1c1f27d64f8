import Foundation
import Observation
import SampleLogic
import Sidetone
import XCTest

/// What stands in for a phone.
@MainActor
final class Desk: Device {
    let language = "en"
    var forbidden: Set<Permission> = []
    private(set) var intents: [AudioIntent] = []
    private(set) var camera = false
    private(set) var played: String?
    private(set) var isRecording = false

    nonisolated init() {}

    /// What happens while the person is asked.
    var asking: (@MainActor () async -> Void)?

    func allows(_ permission: Permission) async -> Bool {
        await asking?()
        return !forbidden.contains(permission)
    }

    func record(into note: VoiceNote) throws {
        isRecording = true
        let voice = try Recording.voice("anna").samples
        for at in 0..<10 { _ = Array(voice[4_800 * at..<4_800 * (at + 1)]).withUnsafeBytes(note.push) }
    }

    func play(_ note: String) { played = note }

    func stopRecording() { isRecording = false }

    func set(_ intent: AudioIntent, _ sound: Sound) { intents.append(intent) }

    func set(camera: Bool, client: Client) { self.camera = camera }
}

/// A key store that is locked until somebody unlocks it.
final class LockedVault: KeyVault, @unchecked Sendable {
    // Guards what is below it.
    private let lock = NSLock()
    private var open = false

    func unlock() { lock.withLock { open = true } }

    func loadOrCreate() throws -> Data {
        guard lock.withLock({ open }) else { throw VaultProblem.Locked }
        return Data(repeating: 7, count: 32)
    }

    func forgetKey() throws {}
}

/// A phone with its app.
@MainActor
struct Phone {
    let desk = Desk()
    let sample: Sample
    let name = Phones.name()
    var password: String { "password of \(name)" }
    var home: Home { sample.home! }

    init(server: String = Phones.url, store: String? = nil) {
        let memory = Memory("sample-" + UUID().uuidString)
        memory.server = server
        sample = Sample(device: desk, memory: memory) {
            try await Client.open(Phones.options(server: memory.server, store: store), vault: FixedVault())
        }
    }

    /// Opened and signed in anew.
    static func registered(server: String = Phones.url, store: String? = nil) async throws -> Phone {
        let phone = Phone(server: server, store: store)
        await phone.sample.start()
        try await until { phone.sample.stage == .welcome }
        try await phone.register()
        try await until { phone.sample.stage == .home && phone.home.isOnline }
        return phone
    }

    func register() async throws {
        try await sample.client!.online.until { $0 }
        sample.form.name = name
        sample.form.email = "\(name)@example.org"
        sample.form.password = password
        await sample.signIn()
    }

    func close() async { await sample.client?.close() }
}

/// Two phones whose people are friends.
@MainActor
struct Two {
    let anna: Phone
    let ben: Phone

    init(server: String = Phones.url, folder: String? = nil) async throws {
        anna = try await .registered(server: server, store: folder.map { $0 + "/anna.db" })
        ben = try await .registered(server: server, store: folder.map { $0 + "/ben.db" })
        let (anna, ben) = (anna, ben)
        await anna.home.friends.add(ben.home.friends.link)
        try await until { ben.home.friends.groups.first?.title == .wantsFriend }
        await ben.home.friends.accept(ben.home.friends.groups[0].friends[0].user)
        for phone in [anna, ben] {
            try await until { phone.home.friends.groups.first.map { $0.title == .friends && $0.friends[0].online } ?? false }
        }
    }

    var annaId: UserId { ben.home.friends.groups[0].friends[0].user }
    var benId: UserId { anna.home.friends.groups[0].friends[0].user }

    func close() async {
        await anna.close()
        await ben.close()
    }
}

/// Waits until what a screen shows is so, as a screen would: by what it is told of changes. At most half a minute.
@MainActor
func until(_ holds: @escaping @MainActor () -> Bool, line: UInt = #line) async throws {
    do {
        try await patient { @MainActor in
            while true {
                let (changes, change) = AsyncStream<Void>.makeStream()
                if withObservationTracking(holds, onChange: { change.finish() }) { return }
                for await _ in changes {}
                try Task.checkCancellation()
            }
        }
    } catch {
        throw InVain(description: "line \(line): \(error)")
    }
}

func folder() throws -> String {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    return folder
}
