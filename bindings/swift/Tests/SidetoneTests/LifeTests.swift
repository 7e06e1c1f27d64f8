import Foundation
import SidetoneTestkit
import XCTest

@testable import Sidetone

private final class ThrowingVault: KeyVault {
    let what: any Error & Sendable

    init(what: any Error & Sendable) { self.what = what }

    func loadOrCreate() throws -> Data { throw what }

    func forgetKey() throws { throw what }
}

private final class ThrowingSink: LogSink {
    let lines = Latest<[String]>([])

    func log(level: LogLevel, line: String) throws {
        lines.set(lines.value + [line])
        throw InVain(description: "the disk is full")
    }
}

final class LifeTests: XCTestCase {
    private let nobody = UserId(hex: String(repeating: "00", count: 16))

    private func opening(_ options: ClientOptions? = nil, vault: any KeyVault = FixedVault()) async throws -> ErrorCode {
        try await code { await (try Client.open(options ?? Phones.options(), vault: vault)).close() }
    }

    func testWhateverTheAppsVaultThrowsIsAnErrorWithACode() async throws {
        same(try await opening(vault: ThrowingVault(what: VaultProblem.Locked)), .vaultLocked)
        same(try await opening(vault: ThrowingVault(what: VaultProblem.Lost)), .vaultLost)
        same(try await opening(vault: ThrowingVault(what: VaultProblem.Failed)), .vaultFailed)
        same(try await opening(vault: ThrowingVault(what: InVain(description: "anything"))), .vaultFailed)
    }

    func testAKeyThatIsNot32BytesIsNoKey() async throws {
        for length in [0, 31, 33, 1_000_000] {
            same(try await opening(vault: FixedVault(Data(count: length))), .vaultLost)
        }
    }

    func testWhatIsNoServerIsRefused() async throws {
        for server in [
            "", "meet", "http://meet.example", "wss://", "ws://meet.example", "wss://\0",
            String(repeating: "x", count: 100_000),
        ] {
            same(try await opening(Phones.options(server: server)), .serverAddress)
        }
        same(try await opening(ClientOptions(server: "ws://127.0.0.1:1", bind: ["here"])), .bindAddress)
        same(try await opening(ClientOptions(server: "wss://127.0.0.1:1", roots: [Data(count: 9)])), .certificate)
    }

    func testAStoreOpensWithItsOwnKeyAndOnce() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("me.db").path
        let phone = try await Phones.registered(store: file)
        let name = try await phone.name()
        same(try await opening(Phones.options(store: file)), .storeInUse)
        await phone.close()
        same(try await opening(Phones.options(store: file), vault: FixedVault(Data(count: 32))), .storeWrongKey)
        let again = try await Client.open(Phones.options(store: file), vault: FixedVault())
        same(try await again.name(), name)
        await again.close()
        same(try await opening(Phones.options(store: folder.path + "/no/such/x.db")), .storeFailed)
    }

    func testPreferencesAreKeptWithoutAnAccountAndTheStoreIsWhole() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        let phone = try await Phones.bare(store: file)
        try await phone.prefer(Theme.dark)
        try await phone.prefer(RouteRule.relayOnly)
        try await phone.preferAcceptBelow(bytes: 7)
        try await phone.preferLanguage("de-AT")
        try await phone.checkStore()
        try await phone.pause()
        phone.onForeground()
        await phone.close()
        let again = try await Client.open(Phones.options(store: file), vault: FixedVault())
        let kept = try await again.preferences()
        same(kept.theme, .dark)
        same(kept.routes, .relayOnly)
        same(kept.acceptBelow, 7)
        same(kept.language, "de-AT")
        await again.close()
        try FileManager.default.removeItem(atPath: file)
    }

    func testWhatIsKeptCanBeTakenAlongAndDestroyed() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: folder + "/out", withIntermediateDirectories: true)
        let vault = FixedVault()
        let phone = try await Client.open(Phones.options(store: folder + "/me.db"), vault: vault)
        try await phone.online.until { $0 }
        let name = Phones.name()
        try await phone.register(name: name, email: "\(name)@example.org", password: "a long password")
        let report = try await phone.exportData(to: folder + "/out")
        XCTAssertGreaterThan(report.rows, 0)
        let document = try String(contentsOfFile: folder + "/out/sidetone-export.json", encoding: .utf8)
        XCTAssertTrue(document.contains(name))
        same(try await code { try await phone.exportData(to: folder + "/me.db/such") }, .exportFolder)
        let wiped = try await phone.wipe(downloads: folder + "/out")
        XCTAssertTrue(wiped.keyDestroyed && vault.forgotten)
        XCTAssertFalse(FileManager.default.fileExists(atPath: folder + "/me.db"))
        XCTAssertFalse(FileManager.default.fileExists(atPath: folder + "/out"))
        same(try await code { try await phone.chats() }, .closed)
    }

    func testWhatWasTakenAlongIsBroughtToAnotherPhone() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let duo = try await Phones.friends(folder: folder)
        try await duo.anna.chat(with: duo.benId).send("do not forget me")
        let name = try await duo.anna.name()
        let out = folder + "/out"
        same(try await code { try await duo.anna.exportData(to: out, passphrase: "") }, .passphrase)
        let exported = try await duo.anna.exportData(to: out, passphrase: "a long passphrase")
        XCTAssertGreaterThan(exported.rows, 2)
        await duo.close()
        let (store, vault) = (folder + "/new.db", FixedVault(Data(repeating: 9, count: 32)))
        func bring(_ from: String, _ passphrase: String? = nil) async throws -> ImportReport {
            try await Client.importData(from: from, into: store, vault: vault, passphrase: passphrase)
        }
        same(try await code { try await bring(out, "another") }, .wrongPassphrase)
        same(try await code { try await bring(folder + "/nothing") }, .importFolder)
        same(try await bring(out, "a long passphrase").identity, .restored)
        same(try await code { try await bring(out, "a long passphrase") }, .notEmpty)
        same(try await Client.salvageData(of: store, vault: vault, to: folder + "/saved").damaged, 0)
        try FileManager.default.createDirectory(atPath: folder + "/bad", withIntermediateDirectories: true)
        try Data("{}".utf8).write(to: URL(fileURLWithPath: folder + "/bad/sidetone-export.json"))
        same(try await code { try await bring(folder + "/bad") }, .notAnExport)
        let phone = try await Client.open(Phones.options(store: store), vault: vault)
        try await phone.online.until { $0 }
        let texts = try await phone.chat(with: duo.benId).history().map(\.text)
        XCTAssertTrue(texts.contains("do not forget me"))
        try await phone.signIn(name: name, password: "password of \(name)")
        await phone.close()
        try await Client.forgetData(in: store, vault: vault, part: .messages)
        let wrong = FixedVault()
        same(try await code { try await Client.forgetData(in: store, vault: wrong, part: .cache) }, .storeWrongKey)
        let again = try await Client.open(Phones.options(store: store), vault: vault)
        let rest = try await again.chat(with: duo.benId).history()
        XCTAssertTrue(rest.isEmpty)
        same(try await again.name(), name)
        await again.close()
        try FileManager.default.removeItem(atPath: folder)
    }

    func testNumbersTellWhatAClientDid() async throws {
        let duo = try await Phones.friends()
        let (hers, _) = try await duo.talk()
        let told = try await duo.anna.diagnostics()
        same(told.sockets, 1)
        same(told.malformedFrames, 0)
        XCTAssertTrue(told.signalingSent > 0 && told.signalingReceived > 0)
        same(told.links.map(\.peer), [.friend(user: duo.benId)])
        same(told.calls[0].call, hers.id)
        XCTAssertTrue(told.calls[0].phases.contains { $0.name == "connected" && $0.ms > 0 })
        await duo.close()
    }

    func testClosingTwiceIsClosingOnce() async throws {
        let phone = try await Phones.bare()
        await phone.close()
        await phone.close()
    }

    func testAfterTheEndEverythingSaysClosed() async throws {
        let phone = try await Phones.bare()
        let chat = phone.chat(with: nobody)
        await phone.close()
        same(try await code { try await phone.signIn(name: "a", password: "b") }, .closed)
        same(try await code { try await phone.befriend("a") }, .closed)
        same(try await code { try await chat.send("a") }, .closed)
        same(try await code { try await chat.history() }, .closed)
        same(try await code { try await phone.call(nobody) }, .closed)
        same(try await code { try await phone.onBackground() }, .closed)
        phone.onForeground()
        phone.networkChanged(NetworkSnapshot(kind: .none, metered: false, addresses: []))
        var events = phone.events.makeAsyncIterator()
        let event = await events.next()
        XCTAssertNil(event)
    }

    func testAClientClosesInEveryState() async throws {
        let nowhere = try await Client.open(Phones.options(server: "ws://127.0.0.1:1"), vault: FixedVault())
        await nowhere.close()
        let registering = try await Phones.bare()
        let attempt = Task {
            try await registering.register(name: Phones.name(), email: "x@example.org", password: "a long password")
        }
        await registering.close()
        if case .failure(let error) = await attempt.result { XCTAssertTrue(error is SidetoneError) }
        for stage in 0...2 {
            let duo = try await Phones.friends()
            switch stage {
            case 0: _ = try await duo.anna.call(duo.benId)
            case 1:
                let hers = try await duo.anna.call(duo.benId)
                try await duo.rings(hers).answer()
            default: _ = try await duo.talk()
            }
            try await patient { await duo.close() }
        }
    }

    func testWhoClosesInACallIsGoneAtOnceForTheOther() async throws {
        let duo = try await Phones.friends()
        let (hers, his) = try await duo.talk()
        await duo.anna.close()
        same(await hers.ended(), .hungUp)
        let reason = try await patient { await his.ended() }
        XCTAssertNotNil(reason)
        await duo.close()
    }

    func testACancelledTaskCancelsItsOperationAlthoughTheServerSaysNothing() async throws {
        let server = try TestServer.start()
        let phone = try await Phones.bare(server: server.url())
        server.freeze()
        let operation = phone.raw.signIn(name: "somebody", password: "a long password")
        let login = Task { try await operation.value }
        same(operation.progress(), .running)
        login.cancel()
        same(try await code { try await login.value }, .cancelled)
        same(operation.progress(), .cancelled)
        server.thaw()
        await phone.close()
    }

    func testAnOpeningThatNobodyWaitsForAnyMoreLeavesNothing() async throws {
        let before = liveObjects()
        for _ in 0..<20 {
            let opening = Task {
                // Cancelled before it begins: nobody will take what it makes.
                withUnsafeCurrentTask { $0?.cancel() }
                _ = try await Client.open(Phones.options(server: "ws://127.0.0.1:1"), vault: FixedVault())
            }
            do {
                try await opening.value
                XCTFail("it was opened for nobody")
            } catch { XCTAssertTrue(error is CancellationError, "\(error)") }
        }
        same(liveObjects(), before)
        let open = try await Client.open(Phones.options(server: "ws://127.0.0.1:1"), vault: FixedVault())
        same(liveObjects(), before + 1)
        await open.close()
    }

    func testAnOperationCanBeCancelledAwaitedAndAskedByMany() async throws {
        let raw = try RawClient.open(options: Phones.options(server: "ws://127.0.0.1:1"), vault: FixedVault())
        let operation = raw.signIn(name: "somebody", password: "a long password")
        let seen = try await withThrowingTaskGroup(of: ErrorCode.self) { group in
            for _ in 0..<10 { group.addTask { try await code { try await operation.outcome() } } }
            operation.cancel()
            operation.cancel()
            return try await group.reduce(into: Set<ErrorCode>()) { $0.insert($1) }
        }
        same(seen.count, 1)
        XCTAssertTrue(seen.isSubset(of: [.cancelled, .offline]))
        await raw.shutDown()
    }

    func testWithoutAServerEverythingThatNeedsOneSaysOfflineAndWhatToDo() async throws {
        let server = try TestServer.start()
        let phone = try await Phones.registered(server: server.url())
        server.stop()
        try await phone.online.until { !$0 }
        let error = try await failing { try await phone.befriend("somebody") }
        same(error.code, .offline)
        same(error.userAction, .checkNetwork)
        XCTAssertTrue(error.retryable)
        await phone.close()
    }

    func testOneClientServesManyThreadsAtOnce() async throws {
        let phone = try await Phones.registered()
        let name = try await phone.name()
        let nobody = nobody
        let names = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<64 {
                group.addTask {
                    for _ in 0..<20 { _ = try await phone.chat(with: nobody).history() }
                    return try await phone.raw.account()?.name ?? ""
                }
            }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        same(names, [name])
        await phone.close()
    }

    func testEventsGoOnAfterTheBackground() async throws {
        let duo = try await Phones.friends()
        try await duo.anna.onBackground()
        duo.anna.onForeground()
        let events = duo.anna.events
        try await duo.ben.chat(with: duo.annaId).send("good morning")
        let ben = duo.benId
        try await events.until { if case .message(let peer, _) = $0 { peer == ben } else { false } }
        await duo.close()
    }

    func testNothingIsToldAfterTheEnd() async throws {
        let phone = try await Phones.registered()
        let (events, online) = (phone.events, phone.online.values)
        await phone.close()
        let ended = Task {
            for await _ in events {}
            for await _ in online {}
            return true
        }
        let end = try await patient { await ended.value }
        XCTAssertTrue(end)
    }

    func testTheLibrarysLinesReachTheAppAndASinkThatThrowsHarmsNobody() async throws {
        let sink = ThrowingSink()
        try setLogSink(sink: sink, most: .debug)
        let phone = try await Client.open(Phones.options(server: "ws://127.0.0.1:1"), vault: FixedVault())
        let lines = try await sink.lines.until { !$0.isEmpty }.joined()
        XCTAssertTrue(lines.contains("no connection to the server") && !lines.contains("127.0.0.1"), lines)
        await phone.close()
    }

    func testWhoeverStopsFollowingWhileSomethingIsToldHoldsUpNobody() async throws {
        let (latest, told) = (Latest(0), Told<Int>())
        try await patient {
            let telling = Task.detached {
                for number in 1...20_000 {
                    latest.set(number)
                    told.tell(number)
                }
            }
            let following = Task.detached {
                for _ in 0..<2_000 {
                    let watch = Task.detached { for await _ in latest.values {} }
                    let listen = Task.detached { for await _ in told.stream({ $0 }) {} }
                    await Task.yield()
                    watch.cancel()
                    listen.cancel()
                }
            }
            await telling.value
            await following.value
        }
        same(latest.value, 20_000)
    }
}
