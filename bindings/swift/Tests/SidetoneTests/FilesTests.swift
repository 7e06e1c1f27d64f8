import Foundation
import XCTest

@testable import Sidetone

final class FilesTests: XCTestCase {
    func testAFileArrivesWholeAtAFriendWhoTakesIt() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let anna = try await Phones.registered(store: folder + "/anna.db")
        let ben = try await Phones.registered(store: folder + "/ben.db")
        let bens = try await anna.befriend(ben.name())
        let annas = try await ben.friends.until { !$0.isEmpty }[0].user
        try await ben.accept(annas)
        for phone in [anna, ben] {
            try await phone.friends.until { $0.contains { $0.standing == .friend && $0.online } }
        }
        let bytes = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 * 31) })
        try bytes.write(to: URL(fileURLWithPath: folder + "/minutes.bin"))
        try await ben.preferAcceptBelow(bytes: 0)
        let id = try await anna.chat(with: bens).sendFile(folder + "/minutes.bin", mime: "application/x-minutes")
        let offered = try await ben.transfers.until { $0.contains { $0.transfer == id } }.first { $0.transfer == id }!
        same([offered.name, offered.mime], ["minutes.bin", "application/x-minutes"])
        same(offered.size, 3_000_000)
        if offered.stage == .offered { try? await ben.acceptFile(id) }
        try await ben.transfers.until { !$0.contains { $0.transfer == id } }
        let here = try await ben.chat(with: annas).transfer(id)!
        same(here.stage, .received)
        same(try Data(contentsOf: URL(fileURLWithPath: here.path!)), bytes)
        for phone in [anna, ben] { await phone.close() }
        try FileManager.default.removeItem(atPath: folder)
    }

    func testWhatIsNoFileOrNoTransferIsRefused() async throws {
        let duo = try await Phones.friends()
        let chat = duo.anna.chat(with: duo.benId)
        same(try await code { try await chat.sendFile("/no/such/file") }, .fileUnreadable)
        let text = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString + ".jpg")
        try Data("no picture".utf8).write(to: text)
        same(try await code { try await chat.sendImage(text.path) }, .fileMalformed)
        let nothing = TransferId(hex: String(repeating: "00", count: 16))
        same(try await code { try await duo.anna.acceptFile(nothing) }, .noSuchTransfer)
        same(try await code { try await duo.anna.cancelFile(TransferId(hex: "?")) }, .notAnId)
        try FileManager.default.removeItem(at: text)
        await duo.close()
    }
}
