import Foundation
import SidetoneTestkit
import XCTest

@testable import SampleLogic
@testable import Sidetone

@MainActor
final class ChatTests: XCTestCase, @unchecked Sendable {
    func testATextIsSeenOnBothPhonesWithItsMark() async throws {
        let two = try await Two()
        let hers = two.anna.home.chat(with: two.benId)
        hers.draft = "  "
        await hers.send()
        hers.draft = "hello"
        await hers.typed()
        await hers.send()
        same(hers.draft, "")
        try await until { two.ben.home.unread == 1 }
        let his = two.ben.home.chat(with: two.annaId)
        try await until { his.bubbles.map(\.message.text) == ["hello"] && his.bubbles[0].message.mark == nil }
        try await until { hers.bubbles.map(\.message.mark) == [.messageRead] }
        try await until { two.ben.home.unread == 0 }
        same([hers.name, his.name], [two.ben.name, two.anna.name])
        await two.close()
    }

    func testWhatWasBegunIsThereAgain() async throws {
        let two = try await Two()
        let hers = two.anna.home.chat(with: two.benId)
        hers.draft = "half a"
        await hers.typed()
        hers.close()
        let again = two.anna.home.chat(with: two.benId)
        await again.begin()
        same(again.draft, "half a")
        await two.close()
    }

    func testWhoWritesIsSeenWriting() async throws {
        let two = try await Two()
        let (hers, his) = (two.anna.home.chat(with: two.benId), two.ben.home.chat(with: two.annaId))
        hers.draft = "one"
        await hers.send()
        try await until { his.bubbles.count == 1 }
        hers.draft = "tw"
        await hers.typed()
        try await until { his.isTyping }
        await two.close()
    }

    func testAFileIsOfferedTakenAndHere() async throws {
        let folder = try folder()
        let two = try await Two(folder: folder)
        let (hers, his) = (two.anna.home.chat(with: two.benId), two.ben.home.chat(with: two.annaId))
        try await two.ben.sample.client!.preferAcceptBelow(bytes: 0)
        try Data(repeating: 5, count: 300_000).write(to: URL(fileURLWithPath: folder + "/minutes.pdf"))
        await hers.sendFile(folder + "/minutes.pdf", mime: "application/pdf")
        try await until { his.bubbles.first?.transfer?.choices == [.take, .decline] }
        let offered = his.bubbles[0].transfer!
        same(offered.words, Phrase(.fileOffered))
        await his.choose(.take, offered)
        try await until { his.bubbles.first?.transfer?.choices == [.open] }
        same(his.bubbles[0].transfer?.progress, nil)
        await hers.sendFile(folder + "/none", mime: "application/pdf")
        same(hers.notice, Phrase(.errorFile))
        await two.close()
    }

    func testAVoiceNoteNeedsTheMicrophoneAndArrives() async throws {
        let folder = try folder()
        let two = try await Two(folder: folder)
        let (hers, his) = (two.anna.home.chat(with: two.benId), two.ben.home.chat(with: two.annaId))
        two.anna.desk.forbidden = [.microphone]
        await hers.record()
        same(hers.forbidden, .microphone)
        same(hers.note, nil)
        (two.anna.desk.forbidden, _) = ([], hers.dismiss())
        await hers.record()
        try await until { hers.note?.durationMs == 1_000 }
        XCTAssertTrue(two.anna.desk.isRecording)
        hers.dropNote()
        XCTAssertFalse(two.anna.desk.isRecording)
        await hers.record()
        await hers.sendNote()
        try await until { his.bubbles.first?.preview?.durationMs == 1_000 }
        same(hers.bubbles.count, 1)
        try await until { his.bubbles.first?.transfer?.choices == [.play] }
        await his.choose(.play, his.bubbles[0].transfer!)
        XCTAssertEqual(try Data(contentsOf: URL(fileURLWithPath: two.ben.desk.played!)).prefix(4), Data("OggS".utf8))
        await two.close()
    }

    func testATransferSaysHowFarItIsAndWhatCanBeDone() async {
        func transfer(_ stage: TransferStage, ours: Bool = false) -> Transfer {
            Transfer(
                transfer: TransferId(hex: ""), peer: UserId(hex: ""), ours: ours, name: "a", mime: "", kind: .file, size: 200,
                done: 50, stage: stage, path: nil)
        }
        same(transfer(.moving).progress, 0.25)
        same(transfer(.moving).words, Phrase(.fileMoving, .bytes(50), .bytes(200)))
        same(transfer(.offered, ours: true).choices, [.giveUp])
        same(transfer(.pausedForSpace).choices, [.resume, .giveUp])
        same(transfer(.failed(reason: .corrupt)).choices, [])
        same(transfer(.failed(reason: .corrupt)).words, Phrase(.fileFailed))
    }
}
