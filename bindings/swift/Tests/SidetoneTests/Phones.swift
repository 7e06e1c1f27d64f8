import Foundation
import SidetoneTestkit
import XCTest

@testable import Sidetone

/// A key as the Keychain would give it.
final class FixedVault: KeyVault, @unchecked Sendable {
    let key: Data
    // Guards what is below it.
    private let lock = NSLock()
    private var gone = false

    var forgotten: Bool { lock.withLock { gone } }

    init(_ key: Data = Data(repeating: 7, count: 32)) { self.key = key }

    func loadOrCreate() throws -> Data { key }

    func forgetKey() throws { lock.withLock { gone = true } }
}

struct InVain: Error, CustomStringConvertible {
    let description: String
}

/// The server of this run, and phones on loopback.
enum Phones {
    static let server = try! TestServer.start()

    static var url: String { server.url() }

    static func options(server: String = url, store: String? = nil) -> ClientOptions {
        ClientOptions(server: server, store: store, bind: ["127.0.0.1"])
    }

    /// A phone that is online and has no account.
    static func bare(server: String = url, store: String? = nil) async throws -> Client {
        let phone = try await Client.open(options(server: server, store: store), vault: FixedVault())
        try await phone.online.until { $0 }
        return phone
    }

    /// A name that nobody has.
    static func name() -> String { "swift" + UUID().uuidString.prefix(8).lowercased() }

    /// A phone with an account.
    static func registered(server: String = url, store: String? = nil) async throws -> Client {
        let phone = try await bare(server: server, store: store)
        let name = name()
        try await phone.register(name: name, email: "\(name)@example.org", password: "password of \(name)")
        try await phone.account.until { $0 != nil }
        return phone
    }

    /// Two friends.
    static func friends(server: String = url, folder: String? = nil) async throws -> Duo {
        let anna = try await registered(server: server, store: folder.map { $0 + "/anna.db" })
        let ben = try await registered(server: server, store: folder.map { $0 + "/ben.db" })
        let bens = try await anna.befriend(ben.name())
        let annas = try await ben.friends.until { $0.contains { $0.standing == .askedUs } }[0].user
        try await ben.accept(annas)
        for phone in [anna, ben] {
            try await phone.friends.until { $0.contains { $0.standing == .friend && $0.online } }
        }
        return Duo(anna: anna, ben: ben, annaId: annas, benId: bens)
    }
}

struct Duo {
    let anna: Client
    let ben: Client
    let annaId: UserId
    let benId: UserId

    /// Anna calls, Ben answers, both can speak: her end and his.
    func talk() async throws -> (Call, Call) {
        let hers = try await anna.call(benId)
        let his = try await rings(hers)
        try await his.answer()
        let (one, other) = (try await hers.connected(), try await his.connected())
        XCTAssertTrue(one && other)
        return (hers, his)
    }

    /// Her call as it rings at Ben's: it has one name on both phones.
    func rings(_ hers: Call) async throws -> Call {
        let id = hers.id
        let calls = try await ben.calls.until { $0.contains { $0.call == id && $0.state == .ringing } }
        return ben.of(calls.first { $0.call == id }!)
    }

    /// Anna calls Ben, whose phone sleeps and was woken just now: her end.
    func wakes(_ server: TestServer) async throws -> Call {
        // Any point does for a key: here nobody opens what comes.
        let key = try await ben.pushKey()
        try await ben.setPush(.web(endpoint: server.pushEndpoint(), key: key, auth: Data(repeating: 1, count: 16)))
        try await ben.onBackground()
        try await ben.online.until { !$0 }
        let hers = try await anna.call(benId)
        let isWoken = await server.nextWakeUp()
        XCTAssertTrue(isWoken)
        return hers
    }

    /// Whatever call is on is over, for both.
    func hangUp() async throws {
        for phone in [anna, ben] {
            for view in phone.calls.value { try? await phone.of(view).hangUp() }
        }
        try await quiet()
    }

    func quiet() async throws {
        for phone in [anna, ben] { try await phone.calls.until(\.isEmpty) }
    }

    func close() async {
        await anna.close()
        await ben.close()
    }
}

extension Client {
    func name() async throws -> String {
        try await account.until { $0 != nil }!.name
    }

    /// Waits until something holds that is read anew whenever the client tells of anything.
    func until(_ holds: @escaping @Sendable () async throws -> Bool) async throws {
        let told = Unchecked(events)
        try await patient {
            if try await holds() { return }
            for await _ in told.value { if try await holds() { return } }
            throw InVain(description: "closed")
        }
    }
}

extension Latest {
    /// Waits until it is so, at most half a minute.
    @discardableResult
    func until(_ holds: @escaping @Sendable (Value) -> Bool) async throws -> Value {
        try await patient { [self] in
            for await value in values where holds(value) { return value }
            throw InVain(description: "closed")
        }
    }
}

extension AsyncStream where Element: Sendable {
    @discardableResult
    func until(_ holds: @escaping @Sendable (Element) -> Bool) async throws -> Element {
        let stream = Unchecked(self)
        return try await patient {
            for await value in stream.value where holds(value) { return value }
            throw InVain(description: "closed")
        }
    }
}

struct Unchecked<T>: @unchecked Sendable {
    let value: T

    init(_ value: T) { self.value = value }
}

/// Does something in at most half a minute.
func patient<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
    try await withThrowingTaskGroup(of: T.self) { group in
        group.addTask(operation: body)
        group.addTask {
            try await Task.sleep(for: .seconds(30))
            throw InVain(description: "waited in vain")
        }
        defer { group.cancelAll() }
        return try await group.next()!
    }
}

/// The error with which something fails.
func failing<T>(_ body: () async throws -> T) async throws -> SidetoneError {
    do {
        _ = try await body()
    } catch let error as SidetoneError {
        return error
    }
    throw InVain(description: "it did not fail")
}

func code<T>(_ body: () async throws -> T) async throws -> ErrorCode {
    try await failing(body).code
}

func same<T: Equatable>(_ one: T, _ other: T, line: UInt = #line) {
    XCTAssertEqual(one, other, line: line)
}
