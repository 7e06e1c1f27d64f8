import Foundation
import XCTest

@testable import Sidetone

final class FilesTests: XCTestCase {
    private func folder() throws -> String {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder
    }

    func testAFileArrivesWholeAtAFriendWhoTakesIt() async throws {
        let folder = try folder()
        let duo = try await Phones.friends(folder: folder)
        let (anna, ben) = (duo.anna, duo.ben)
        let (annas, bens) = (duo.annaId, duo.benId)
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

    func testAVoiceNoteIsSpokenSentOnceAndShownBeforeItIsHere() async throws {
        let folder = try folder()
        let duo = try await Phones.friends(folder: folder)
        let note = try VoiceNote()
        let voice = try Recording.voice("anna").samples
        for at in 0..<30 {
            same(Array(voice[4_800 * at..<4_800 * (at + 1)]).withUnsafeBytes(note.push), 9_600)
        }
        same(note.view?.durationMs, 3_000)
        same([UInt8](repeating: 0, count: 961).withUnsafeBytes(note.push), Sound.length)
        same(note.push(UnsafeRawBufferPointer(start: nil, count: 0)), 0)
        let id = try await duo.anna.chat(with: duo.benId).sendVoiceNote(note)
        XCTAssertNil(note.view)
        same([UInt8](repeating: 0, count: 960).withUnsafeBytes(note.push), Sound.closed)
        same(try await code { try await duo.anna.chat(with: duo.benId).sendVoiceNote(note) }, .noteEmpty)
        let his = duo.ben.chat(with: duo.annaId)
        try await his.latest().until {
            if case .file(_, _, _, _, .voiceNote) = $0.first?.content { true } else { false }
        }
        let shown = try await his.preview(id)
        same(shown.durationMs, 3_000)
        XCTAssertTrue(shown.waveform.contains { $0 > 20 })
        try await duo.ben.until { try await his.transfer(id)?.stage == .received }
        let path = try await his.transfer(id)!.path!
        same(try Data(contentsOf: URL(fileURLWithPath: path)).prefix(4), Data("OggS".utf8))
        let silent = try VoiceNote()
        same(try await code { try await duo.anna.chat(with: duo.benId).sendVoiceNote(silent) }, .noteEmpty)
        let many = try (0..<16).map { _ in try VoiceNote() }
        same(try await code { try VoiceNote() }, .system)
        same(many.count, 16)
        await duo.close()
        try FileManager.default.removeItem(atPath: folder)
    }

    func testWhichFilesAreTakenIsTheUsersChoice() async throws {
        let phone = try await Phones.registered()
        let policy = FilePolicy(acceptBelow: 1_000, limit: 2_000)
        try await phone.setFilePolicy(policy)
        same(try await phone.filePolicy(), policy)
        await phone.close()
    }
}
