import Foundation
import XCTest

@testable import Sidetone

/// Whatever is opened is closed without a trace: some hundred times here, ten thousand times in `make lives`.
final class LeakTests: XCTestCase {
    private var lives: Int { Int(ProcessInfo.processInfo.environment["SIDETONE_LIVES"] ?? "") ?? 300 }

    /// What this process holds.
    private struct Held: CustomStringConvertible {
        let objects = liveObjects()
        let threads = Held.count("task")
        let files = Held.count("fd")
        let bytes = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))
            .map { 4_096 * Int($0.split(separator: " ")[1])! } ?? 0

        private static func count(_ what: String) -> Int {
            (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/\(what)"))?.count ?? 0
        }

        /// Whether nothing grew; a thread that ends may be seen a moment longer.
        func like(_ before: Held) -> Bool {
            objects == before.objects && threads <= before.threads + 2 && files <= before.files + 2
                && bytes - before.bytes < before.bytes / 20
        }

        var description: String { "\(objects) objects, \(threads) threads, \(files) files, \(bytes) bytes" }
    }

    /// A client with one of everything that it gives out.
    private struct Life {
        let phone: Client
        let note = try! VoiceNote()
        let operation: PendingOperation
        let watching: [AnyObject]

        init() async throws {
            phone = try await Client.open(Phones.options(server: "ws://127.0.0.1:1"), vault: FixedVault())
            operation = phone.raw.signOut()
            let room = RoomId(hex: String(repeating: "00", count: 16))
            watching = [
                phone.raw.frames(), try phone.raw.roomFrames(room: room), try phone.raw.search(peer: nil, words: "words"),
            ]
        }

        func end() async {
            _ = try? await operation.value
            await phone.close()
        }
    }

    func testWhateverIsOpenedIsClosedWithoutATrace() async throws {
        for _ in 0..<100 { try await Life().end() }
        let before = Held()
        for _ in 0..<lives { try await Life().end() }
        let after = Held()
        print("swift: \(lives) lives: \(before) became \(after)")
        XCTAssertTrue(after.like(before), "\(before) became \(after)")
        // What is not closed shows in each of these numbers.
        var open: [Life] = []
        for _ in 0..<12 { open.append(try await Life()) }
        let seen = Held()
        same(seen.objects, before.objects + 12 * 6)
        XCTAssertTrue(seen.threads > before.threads + 12 && seen.files > before.files + 12, "\(seen)")
        XCTAssertGreaterThan(seen.bytes, before.bytes)
        for life in open { await life.end() }
        open = []
        let last = Held()
        same(last.objects, before.objects)
        XCTAssertTrue(last.threads <= before.threads + 2 && last.files <= before.files + 2, "\(last) after \(before)")
    }

    func testMemoryThatIsKeptShows() {
        let before = Held()
        let kept = Data(repeating: 1, count: before.bytes / 10)
        let after = Held()
        XCTAssertFalse(after.like(before), "the look at memory sees nothing")
        same(kept.last, 1)
    }
}
