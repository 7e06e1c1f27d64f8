import Foundation
import XCTest

@testable import Sidetone

final class RoomTests: XCTestCase {
    func testARoomIsEnteredByASpokenCodeAndWhoeverHoldsTheButtonIsHeard() async throws {
        let (anna, ben) = (try await Phones.bare(), try await Phones.bare())
        let hers = try await anna.createRoom(Mates.talking, as: Mates.guest("Anna"), name: "kitchen")
        let his = try await ben.joinCode(hers.openCode(), as: Mates.guest("Ben"))
        let pair = Mates(anna: anna, ben: ben, hers: hers, his: his)
        try await pair.linked()
        same([his.view.value.name, his.members[0].name], ["kitchen", "Anna"])
        let phrase = try await hers.groupPhrase()
        same(phrase, try await his.groupPhrase())
        let us = hers.view.value.us
        let (herCard, hisCard) = (Card(anna.sound, try .voice("anna")), Card(ben.sound, try .voice("ben")))
        try await herCard.plays(ms: 700)
        XCTAssertLessThan(herCard.loudness() + hisCard.loudness(), 10, "nobody holds the button")
        try hers.press()
        try await his.view.until { $0.floor == .taken(member: us) }
        try await hers.view.until { $0.floor == .speaking }
        try await hisCard.listen(herCard)
        XCTAssertLessThan(herCard.loudness(), 10, "who speaks hears nobody")
        try his.press()
        try await his.view.until { $0.floor == .queued(place: 1) }
        try hers.release()
        try await his.view.until { $0.floor == .speaking }
        try await herCard.listen(hisCard)
        try his.release()
        for room in [hers, his] { try await room.view.until { $0.floor == .idle } }
        same([herCard.close(), hisCard.close()], [[], []])
        await pair.close()
    }

    func testThePhonesSoundIsAskedForAsTheButtonIsPressedAndLetGo() async throws {
        let pair = try await Mates.meet(Mates.talking)
        try await pair.anna.audio.until { $0 == .listen }
        let events = pair.hers.events
        try pair.hers.press(.high)
        try await pair.anna.audio.until { $0 == .talk }
        try await events.until { $0 == .floorGranted }
        same(pair.ben.audio.value, .listen)
        try pair.hers.release()
        try await pair.anna.audio.until { $0 == .listen }
        try await pair.hers.leave()
        try await pair.anna.audio.until { $0 == .idle }
        await pair.close()
    }

    func testInAnOpenRoomEverybodyIsHeardUntilTheyMuteThemselves() async throws {
        let pair = try await Mates.meet(Mates.policy())
        XCTAssertNil(pair.hers.floor)
        try await pair.anna.audio.until { $0 == .talk }
        let (herCard, hisCard) = (Card(pair.anna.sound, try .voice("anna")), Card(pair.ben.sound, try .voice("ben")))
        try await hisCard.listen(herCard)
        try await herCard.listen(hisCard)
        try await pair.hers.setMicrophone(.off)
        try await pair.his.view.until { $0.members[0].microphone == .off }
        try await hisCard.until { hisCard.loudness() <= 10 }
        same([herCard.close(), hisCard.close()], [[], []])
        await pair.close()
    }

    func testTextsSignsAndHandsReachEverybodyWhoIsThere() async throws {
        let pair = try await Mates.meet(Mates.policy())
        let (us, them) = (pair.hers.view.value.us, pair.his.view.value.us)
        let (texts, signs, mutes) = (pair.his.events, pair.his.events, pair.his.events)
        try await pair.hers.say("hello")
        try await pair.hers.react("\u{1F44B}")
        try await pair.hers.askToMute(them)
        try await texts.until { $0 == .text(member: us, text: "hello") }
        try await signs.until { $0 == .reaction(member: us, emoji: "\u{1F44B}") }
        try await mutes.until { $0 == .muteAsked(member: us) }
        try await pair.hers.raiseHand(true)
        try await pair.his.view.until { $0.members[0].hand }
        let number = try await pair.his.safetyNumber(with: us)
        same(number, try await pair.hers.safetyNumber(with: pair.his.view.value.us))
        same(number!.filter(\.isNumber).count, 60)
        let nobodys = try await pair.his.safetyNumber(with: MemberId(hex: String(repeating: "00", count: 16)))
        XCTAssertNil(nobodys)
        try await pair.his.setVerified(us, true)
        try await pair.his.view.until { $0.members[0].verified }
        same(try await code { try await pair.hers.say("") }, .textLength)
        same(try await code { try await pair.hers.react(String(repeating: "x", count: 1_000)) }, .textLength)
        await pair.close()
    }

    func testWhoKnocksWaitsUntilTheCreatorOpens() async throws {
        let pair = try await Mates.meet(Mates.policy(door: .knock), linked: false)
        let waiting = try await pair.hers.view.until { $0.members.first?.presence == .waiting }.members[0]
        same(waiting.name, "Ben")
        try await pair.hers.admit(waiting.member)
        try await pair.linked()
        await pair.close()
    }

    func testTheCreatorLocksPutsOutAndEndsAndNobodyElseDoes() async throws {
        let pair = try await Mates.meet(Mates.policy())
        let (us, them) = (pair.his.view.value.us, pair.hers.view.value.us)
        same(try await code { try await pair.his.kick(them) }, .notCreator)
        same(try await code { try await pair.his.ban(them) }, .notCreator)
        same(try await code { try await pair.his.lock(true) }, .notCreator)
        same(try await code { try await pair.his.close() }, .notCreator)
        same(try await code { try await pair.his.openCode() }, .notCreator)
        let link = try await pair.hers.link()
        try await pair.hers.lock(true)
        try await pair.his.view.until(\.locked)
        let late = try await Phones.bare()
        same(try await code { try await late.joinLink(link, as: Mates.guest("Late")) }, .roomLocked)
        try await pair.hers.kick(us)
        same(await pair.his.ended(), .kicked)
        try await pair.hers.lock(false)
        // The server answers this after it unlocked.
        _ = try await pair.hers.openCode()
        let again = try await pair.ben.joinLink(link, as: Mates.guest("Ben"))
        XCTAssertNotEqual(us, again.view.value.us)
        try await pair.hers.view.until { $0.members.count == 1 && $0.members[0].isHere }
        try await pair.hers.close()
        same([await pair.hers.ended(), await again.ended()], [.closed, .closed])
        try await pair.anna.rooms.until(\.isEmpty)
        await late.close()
        await pair.close()
    }

    func testARoomThatIsRememberedIsEnteredAgainAndForgotten() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        let pair = try await Mates.meet(Mates.policy(), memory: .recent, store: file)
        try await pair.his.leave()
        same(await pair.his.ended(), .left)
        let known = try await pair.ben.recentRooms()[0]
        same([known.name, known.shown], ["kitchen", "Ben"])
        let again = try await pair.ben.rejoin(known.room)
        try await again.view.until { $0.members.first?.isHere == true }
        same(try await code { try await pair.ben.forgetRoom(known.room) }, .already)
        try await again.leave()
        try await pair.ben.forgetRoom(known.room)
        let none = try await pair.ben.recentRooms()
        XCTAssertTrue(none.isEmpty)
        same(try await code { try await pair.ben.rejoin(known.room) }, .noSuchRoom)
        await pair.close()
        try FileManager.default.removeItem(atPath: file)
    }

    func testWhatOpensNoRoomIsRefusedWithAReason() async throws {
        let phone = try await Phones.bare()
        let us = Mates.guest("Anna")
        let room = try await phone.createRoom(Mates.policy(), as: us)
        let link = try await room.link()
        same(try await code { try await phone.joinLink("", as: us) }, .notALink)
        same(try await code { try await phone.joinLink(String(repeating: "x", count: 1_000_000), as: us) }, .notALink)
        let cut = try await code { try await phone.joinLink(String(link.dropLast()), as: us) }
        XCTAssertTrue([.damagedLink, .notALink].contains(cut))
        let other = link.replacingOccurrences(of: "127.0.0.1", with: "meet.example")
        same(try await code { try await phone.joinLink(other, as: us) }, .otherServer)
        same(try await code { try await phone.joinCode("4711", as: us) }, .notASpokenCode)
        same(try await code { try await phone.joinCode("9999-acid-lemon", as: us) }, .codeOver)
        same(try await code { try await phone.joinLink(link, as: Mates.guest("")) }, .nameInvalid)
        same(try await code { try await phone.createRoom(Mates.policy(), as: Mates.guest("a\0")) }, .nameInvalid)
        same(try await code { try await phone.createRoom(Mates.policy(members: 200), as: us) }, .wrongPolicy)
        same(try await code { try await phone.createRoom(Mates.policy(burst: 0), as: us) }, .wrongPolicy)
        let nobody = MemberId(hex: String(repeating: "00", count: 16))
        same(try await code { try await room.admit(nobody) }, .noSuchMember)
        same(try await code { try await room.kick(MemberId(hex: "?")) }, .notAnId)
        same(try await code { try await phone.rejoin(RoomId(hex: "00")) }, .notAnId)
        try await room.leave()
        same(try await code { try await room.link() }, .noSuchRoom)
        same(try await code { try await room.say("hello") }, .noSuchRoom)
        try room.press()
        try room.release()
        await phone.close()
        same(try await code { try await phone.createRoom(Mates.policy(), as: us) }, .closed)
    }

    func testAWrongCodeIsToldAndTheRoomGoesOn() async throws {
        let (anna, ben) = (try await Phones.bare(), try await Phones.bare())
        let hers = try await anna.createRoom(Mates.talking, as: Mates.guest("Anna"))
        let spoken = try await hers.openCode()
        let words = spoken.split(separator: "-").map(String.init)
        let wrong = (words.dropLast() + [spoken.hasSuffix("acid") ? "lemon" : "acid"]).joined(separator: "-")
        same(try await code { try await ben.joinCode(wrong, as: Mates.guest("Ben")) }, .wrongCode)
        XCTAssertTrue(hers.members.isEmpty)
        same(try await code { try anna.codeLink("4711") }, .notASpokenCode)
        let his = try await ben.joinLink(anna.codeLink(spoken), as: Mates.guest("Ben"))
        let pair = Mates(anna: anna, ben: ben, hers: hers, his: his)
        try await pair.linked()
        await pair.close()
    }

    func testWhoClosesTheAppIsOutOfTheRoom() async throws {
        let pair = try await Mates.meet(Mates.talking)
        let (events, them) = (pair.hers.events, pair.his.view.value.us)
        await pair.ben.close()
        same(await pair.his.ended(), .left)
        try await events.until { $0 == .left(member: them) }
        try await pair.hers.view.until(\.members.isEmpty)
        await pair.close()
    }
}
