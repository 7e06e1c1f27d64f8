import Foundation
import SidetoneTestkit
import XCTest

@testable import SampleLogic
@testable import Sidetone

@MainActor
final class MeetingTests: XCTestCase, @unchecked Sendable {
    /// The same room on two phones: one opens it, the other enters it by its code.
    private func together(_ anna: Phone, _ ben: Phone, _ speaking: Speaking) async -> (RoomLogic, RoomLogic) {
        await anna.home.rooms.open(speaking)
        let hers = anna.home.rooms.room!
        await hers.openCode()
        ben.home.rooms.typed = hers.code!
        await ben.home.rooms.join()
        return (hers, ben.home.rooms.room!)
    }

    func testARoomIsOpenedEnteredByItsCodeAndTheFloorIsShown() async throws {
        let (anna, ben) = (try await Phone.registered(), try await Phone.registered())
        let (hers, his) = await together(anna, ben, .pushToTalk)
        for room in [hers, his] { try await until { room.view.members.first?.word == .routeDirect } }
        try await until { hers.phrase != nil && hers.phrase == his.phrase && hers.link != nil }
        await hers.hold(true)
        try await until { hers.words == Phrase(.floorSpeaking) }
        try await until { his.words == Phrase(.floorTaken, .text(anna.name)) }
        await his.hold(true)
        try await until { his.words == Phrase(.floorQueued, .number(1)) }
        await hers.hold(false)
        try await until { his.words == Phrase(.floorSpeaking) }
        await his.hold(false)
        try await until { hers.words == Phrase(.floorIdle) }
        await his.leave()
        try await until { ben.home.rooms.room == nil && ben.home.rooms.recent.count == 1 }
        same(ben.home.rooms.end, nil)
        await ben.home.rooms.forget(ben.home.rooms.recent[0])
        try await until { ben.home.rooms.recent.isEmpty }
        for phone in [anna, ben] { await phone.close() }
    }

    func testWhoLetsGoWhileThePhoneAsksForTheMicrophoneDoesNotSpeak() async throws {
        let anna = try await Phone.registered()
        await anna.home.rooms.open(.pushToTalk)
        let room = anna.home.rooms.room!
        anna.desk.asking = { await room.hold(false) }
        await room.hold(true)
        await room.raiseHand(true)
        try await until { room.view.hand }
        same(room.words, Phrase(.floorIdle))
        anna.desk.asking = nil
        anna.desk.forbidden = [.microphone]
        await room.hold(true)
        same([room.forbidden == .microphone, room.words == Phrase(.floorIdle)], [true, true])
        anna.desk.forbidden = []
        room.dismiss()
        await room.hold(true)
        try await until { room.words == Phrase(.floorSpeaking) }
        await anna.close()
    }

    func testWhatIsWrittenInARoomIsSeenAndWhoIsPutOutIsTold() async throws {
        let (anna, ben) = (try await Phone.registered(), try await Phone.registered())
        anna.home.rooms.name = "kitchen"
        let (hers, his) = await together(anna, ben, .open)
        for room in [hers, his] { try await until { [.routeDirect, .routeRelayed].contains(room.view.members.first?.word) } }
        same(his.view.name, "kitchen")
        his.draft = "tea is ready"
        await his.say()
        try await until { hers.said.map(\.text) == ["tea is ready"] }
        same(hers.name(hers.said[0].member), Phrase(.plain, .text(ben.name)))
        same([his.said.map(\.text), [his.draft]], [["tea is ready"], [""]])
        await his.raiseHand(true)
        try await until { hers.view.members.first?.hand == true }
        try await hers.room.askToMute(hers.view.members[0].member)
        try await until { his.muteAsked == hers.view.us }
        await his.mute(true)
        same(his.muteAsked, nil)
        await hers.kick(hers.view.members[0].member)
        try await until { ben.home.rooms.end == .roomEndOut }
        for phone in [anna, ben] { await phone.close() }
    }

    func testARoomOfOpenMicrophonesIsEnteredByLinkAndItsEndIsSaid() async throws {
        let (anna, ben) = (try await Phone.registered(), try await Phone.registered())
        await anna.home.rooms.open(.open)
        let hers = anna.home.rooms.room!
        same(hers.words, Phrase(.openMicrophones))
        try await until { hers.link != nil }
        ben.home.rooms.typed = hers.link!
        await ben.home.rooms.join()
        let his = ben.home.rooms.room!
        try await until { his.view.members.first?.word == .routeDirect }
        await his.mute(false)
        try await until { hers.view.members.first?.microphone == .on }
        try await hers.room.close()
        try await until { ben.home.rooms.room == nil && ben.home.rooms.end == .roomEndClosed }
        for phone in [anna, ben] { await phone.close() }
    }

    func testAWrongCodeIsSaidAndNobodyIsAnywhere() async throws {
        let anna = try await Phone.registered()
        for (typed, word) in [("nonsense", Word.errorSpoken), ("https://meet.example/r#AAAA", .errorLink)] {
            anna.home.rooms.typed = typed
            await anna.home.rooms.join()
            same(anna.home.rooms.notice?.word, word)
        }
        XCTAssertNil(anna.home.rooms.room)
        await anna.close()
    }

    /// Whether anything is played in a second in which the other speaks.
    private func heard(_ mouth: Sound, _ ear: Sound) async -> Bool {
        let said = (0..<480).map { Int16(9_000 * sin(Double($0) * 0.13)) }
        var (played, isHeard) = ([Int16](repeating: 0, count: 480), false)
        for _ in 0..<100 {
            _ = said.withUnsafeBytes(mouth.push)
            _ = played.withUnsafeMutableBytes(ear.pull)
            isHeard = isHeard || played.contains { abs(Int($0)) > 500 }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return isHeard
    }

    func testStrangersMeetAfterNoticeAndAgeAndWhatIsErasedIsShown() async throws {
        let (anna, ben) = (try await Phone.registered(), try await Phone.registered())
        let interest = UUID().uuidString
        for phone in [anna, ben] {
            let logic = phone.home.strangers
            logic.nickname = "nick of \(phone.name)"
            logic.interests = " chess, \(interest) ,,"
            XCTAssertFalse(logic.isReady)
            logic.isAdult = true
            XCTAssertTrue(logic.isReady)
            await logic.search()
        }
        let (hers, his) = (anna.home.strangers, ben.home.strangers)
        for logic in [hers, his] { try await until { logic.stranger?.nickname != nil && logic.stranger?.route != nil } }
        await hers.countActive()
        XCTAssertGreaterThanOrEqual(hers.active ?? 0, 2)
        same(hers.stranger?.nickname, "nick of \(ben.name)")
        hers.draft = "hello"
        await hers.say()
        try await until { his.messages.first?.words == Phrase(.plain, .text("hello")) }
        await his.hide(his.messages[0])
        XCTAssertTrue(his.messages.isEmpty)
        anna.desk.forbidden = [.microphone]
        await hers.call()
        same(hers.forbidden, .microphone)
        (anna.desk.forbidden, _) = ([], hers.dismiss())
        await hers.call()
        try await until { his.choices == [.decline, .answer] }
        await his.choose(.answer)
        try await until { hers.choices.contains(.microphone) && his.choices.contains(.microphone) }
        same(his.stranger?.call?.hearing, .on)
        let (mouth, ear) = (anna.sample.client!.sound, ben.sample.client!.sound)
        while await !heard(mouth, ear) {}
        await his.hear(false)
        try await until { his.stranger?.call?.hearing == .off }
        while await heard(mouth, ear) {}
        await his.hear(true)
        try await until { his.stranger?.call?.hearing == .on }
        await hers.choose(.hangUp)
        try await until { hers.choices.isEmpty && his.choices.isEmpty }
        await hers.end()
        for logic in [hers, his] { try await until { logic.parting != nil && logic.messages.isEmpty } }
        same(hers.parting?.counts.first?.erased, Phrase(.ofCount, .number(1), .number(1)))
        same(anna.home.settings.burned, 1)
        await hers.report(hers.parting!.id, .abuse)
        same(hers.parting?.isReported, true)
        for phone in [anna, ben] { await phone.close() }
    }

    func testWhatIsPreferredIsKeptAndWhatWasDoneIsShown() async throws {
        let folder = try folder()
        let phone = try await Phone.registered(store: folder + "/anna.db")
        let settings = phone.home.settings
        try await until { settings.preferences?.theme == .system }
        await settings.prefer(Theme.dark)
        await settings.prefer(RouteRule.relayOnly)
        await settings.prefer(AddressRule.relayUntilAccepted)
        await settings.prefer(ReceiptRule.keep)
        try await until {
            settings.preferences.map { $0.theme == .dark && $0.routes == .relayOnly && $0.addresses == .relayUntilAccepted && $0.receipts == .keep }
                ?? false
        }
        await settings.readReceipt()
        same(settings.receipts, [])
        XCTAssertTrue(settings.kept?.contains(phone.name) == true)
        try FileManager.default.createDirectory(atPath: folder + "/export", withIntermediateDirectories: true)
        settings.passphrase = "some words of mine"
        await settings.export(to: folder + "/export")
        same(settings.exported?.word, .exported)
        await settings.export(to: folder + "/export")
        XCTAssertNotNil(settings.notice, "an export is not written over another")
        await settings.deleteAccount()
        try await until { phone.sample.stage == .welcome }
        await phone.close()
    }
}
