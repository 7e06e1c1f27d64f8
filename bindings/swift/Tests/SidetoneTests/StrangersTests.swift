import Foundation
import XCTest

@testable import Sidetone

/// Two phones that meet as strangers.
enum Encounter {
    static func entry(_ name: String, ask: Bool = false, language: String? = "en", interests: Int = 1) -> StrangerEntry {
        StrangerEntry(
            nickname: name, language: language, interests: (0..<interests).map { $0 == 0 ? "chess" : "\($0)" }, media: .voice,
            adult: true, ask: ask)
    }

    static func together(_ phones: Client...) async throws {
        for phone in phones {
            try await phone.strangers.view.until { $0.stranger?.nickname != nil && $0.stranger?.route != nil }
        }
    }

    static func meet() async throws -> (Client, Client) {
        let (anna, ben) = (try await Phones.bare(), try await Phones.bare())
        try await anna.strangers.enter(entry("Anna"))
        try await ben.strangers.enter(entry("Ben"))
        try await together(anna, ben)
        return (anna, ben)
    }
}

final class StrangersTests: XCTestCase {
    func testTwoWhoLookForSomebodyTalkAndLeaveNothingBehind() async throws {
        let (anna, ben) = try await Encounter.meet()
        let stranger = anna.strangers.stranger!
        same([stranger.nickname, stranger.language], ["Ben", "en"])
        same(stranger.common, ["chess"])
        if case .relayed = stranger.route {} else { XCTFail("\(String(describing: stranger.route))") }
        XCTAssertFalse(stranger.ourAddressShown || stranger.theirAddressShown)
        let active = try await anna.strangers.active()
        XCTAssertGreaterThanOrEqual(active, 2)
        try await anna.strangers.say("hello")
        let note = try VoiceNote()
        same((0..<96_000).map { UInt8(truncatingIfNeeded: $0 * 7) }.withUnsafeBytes(note.push), 96_000)
        try await ben.strangers.sendNote(note)
        try await ben.until { try await ben.strangers.messages().contains { $0.content == .text(text: "hello") } }
        try await ben.strangers.hide(ben.strangers.messages().first { $0.theirs }!.number)
        let shown = try await ben.strangers.messages()
        XCTAssertFalse(shown.contains(where: \.theirs))
        try await anna.until { try await anna.strangers.messages().contains { $0.theirs && $0.whole } }
        let sound = try await anna.strangers.messages().first { $0.theirs }!
        same(Data(try await anna.strangers.note(sound.number).prefix(4)), Data("OggS".utf8))
        same(try await code { try await anna.strangers.sendImage(Data(count: 100)) }, .fileMalformed)
        try await anna.strangers.compareWords()
        let words = try await anna.strangers.view.until { $0.stranger?.words != nil }.stranger?.words
        try await ben.strangers.view.until { $0.stranger?.words == words }
        let events = ben.strangers.events
        let report = try await anna.strangers.end()
        same(report.held, report.erased)
        same([report.held.texts, report.held.notes, report.held.links], [1, 1, 1])
        XCTAssertGreaterThan(report.held.keys, 0)
        XCTAssertLessThan(report.tookUs!, 5_000_000)
        let ended = try await events.until { if case .ended = $0 { true } else { false } }
        guard case .ended(_, let reason, let burned) = ended else { return XCTFail("not ended") }
        same(reason, .theyLeft)
        same(burned.held, burned.erased)
        let id = stranger.id
        try await anna.strangers.view.until { $0 == .lobby(parted: id) }
        let rest = try await anna.strangers.messages()
        XCTAssertTrue(rest.isEmpty)
        same(try await code { try await anna.strangers.say("again?") }, .noSuchMatch)
        try await anna.strangers.report(id, .spam)
        same(try await code { try await anna.strangers.report(MatchId(hex: "?"), .spam) }, .notAnId)
        for phone in [anna, ben] { await phone.close() }
    }

    func testAStrangerIsCalledAndSeenAndHeard() async throws {
        let (anna, ben) = try await Encounter.meet()
        same(try await code { try await anna.strangers.setCamera(true) }, .noSuchCall)
        try await anna.strangers.call()
        try await ben.strangers.view.until { $0.stranger?.call?.state == .ringing }
        try await ben.strangers.answer()
        for phone in [anna, ben] {
            try await phone.strangers.view.until { $0.stranger?.call?.state == .connected }
            try await phone.audio.until { $0 == .call }
        }
        try await anna.strangers.setCamera(true)
        try await anna.video.bitrates.until { ($0[.camera] ?? 0) > 0 }
        try await ben.strangers.view.until { $0.stranger?.call?.theirShows == Shows(camera: true) }
        let film = Film(.camera)
        let playing = Task { await film.play(anna.video) }
        try await film.check(ben.video.frames, 5)
        playing.cancel()
        for state in [HearingState.off, .on] { try await ben.strangers.setHearing(state) }
        let (herCard, hisCard) = (Card(anna.sound, try .voice("anna")), Card(ben.sound, try .voice("ben")))
        try await hisCard.listen(herCard)
        same([herCard.close(), hisCard.close()], [[], []])
        try await ben.strangers.want(camera: 180)
        try await anna.strangers.view.until { $0.stranger?.call?.theirWants.camera == 180 }
        try await anna.strangers.setCamera(false)
        try await anna.strangers.setScreenShare(.text)
        try await ben.strangers.view.until { $0.stranger?.call?.theirShows == Shows(camera: false, screen: .text) }
        try await anna.strangers.hangUp()
        try await anna.video.bitrates.until(\.isEmpty)
        for phone in [anna, ben] { try await phone.audio.until { $0 == .idle } }
        same(try await code { try await ben.strangers.hangUp() }, .noSuchCall)
        for phone in [anna, ben] { await phone.close() }
    }

    func testWhoAsksFirstDecidesAboutWhomWasFound() async throws {
        let (anna, ben) = (try await Phones.bare(), try await Phones.bare())
        try await anna.strangers.enter(Encounter.entry("Anna", ask: true))
        try await ben.strangers.enter(Encounter.entry("Ben"))
        let found = try await anna.strangers.view.until { if case .found = $0 { true } else { false } }
        guard case .found(_, let common, _, _) = found else { return XCTFail("not found") }
        same(common, ["chess"])
        try await anna.strangers.accept()
        try await Encounter.together(anna, ben)
        try await ben.strangers.block()
        try await anna.strangers.view.until { $0.stranger == nil }
        for phone in [anna, ben] { await phone.close() }
    }

    func testASearchThatIsCancelledIsOver() async throws {
        let phone = try await Phones.bare()
        let entry = Encounter.entry("Anna")
        let search = Task { try await phone.strangers.enter(entry) }
        await Task.yield()
        search.cancel()
        _ = await search.result
        // A quick server may have taken it before it was cancelled.
        _ = try? await phone.strangers.end()
        try await phone.strangers.view.until { if case .lobby = $0 { true } else { false } }
        try await phone.strangers.enter(entry)
        same(try await code { try await phone.strangers.enter(entry) }, .withStranger)
        try await phone.strangers.view.until { if case .searching = $0 { true } else { false } }
        try await phone.strangers.end()
        try await phone.strangers.view.until { if case .lobby = $0 { true } else { false } }
        await phone.close()
    }

    func testWhatNobodyCouldBeShownIsRefused() async throws {
        let phone = try await Phones.bare()
        let strangers = phone.strangers
        same(try await code { try await strangers.enter(Encounter.entry("")) }, .badEntry)
        same(try await code { try await strangers.enter(Encounter.entry(String(repeating: "x", count: 1_000_000))) }, .badEntry)
        same(try await code { try await strangers.enter(Encounter.entry("Anna", language: "no language")) }, .badEntry)
        same(try await code { try await strangers.enter(Encounter.entry("Anna", interests: 100)) }, .badEntry)
        same(try await code { try await strangers.accept() }, .noSuchMatch)
        same(try await code { try await strangers.call() }, .noSuchMatch)
        await phone.close()
        same(try await code { try await strangers.enter(Encounter.entry("Anna")) }, .closed)
        same(try await code { try await strangers.end() }, .closed)
    }

    func testWhoClosesInTheMiddleBurnsAtBothEnds() async throws {
        let (anna, ben) = try await Encounter.meet()
        try await anna.strangers.say("hello")
        await anna.close()
        try await ben.strangers.view.until { $0.stranger == nil }
        await ben.close()
    }
}
