import XCTest

@testable import Sidetone

final class CallTests: XCTestCase {
    private static let meeting = Task { try await Phones.friends() }

    private func friends() async throws -> Duo {
        let duo = try await Self.meeting.value
        try await duo.hangUp()
        return duo
    }

    func testSpeechGoesThroughBothPhonesAndIsHeardOnTheOtherSide() async throws {
        let duo = try await friends()
        let (hers, his) = try await duo.talk()
        let (anna, ben) = (try Recording.voice("anna"), try Recording.voice("ben"))
        let (herCard, hisCard) = (Card(duo.anna.sound, anna), Card(duo.ben.sound, ben))
        for (ear, mouth, other) in [(hisCard, herCard, ben), (herCard, hisCard, anna)] {
            // A machine that is busy spoils some seconds, not all.
            try await ear.listen(mouth)
            XCTAssertLessThan(ear.hears(mouth, other), 0.25, "the other voice is found too")
        }
        same([herCard.close(), hisCard.close()], [[], []])
        let route = try await duo.anna.calls.until { $0.first?.route != nil }[0].route
        if case .direct = route {} else { XCTFail("\(String(describing: route))") }
        try await hers.hangUp()
        same([await hers.ended(), await his.ended()], [.hungUp, .peerHungUp])
    }

    func testWhoIsMutedIsNotHeardAndTheOtherSideSeesIt() async throws {
        let duo = try await friends()
        let (hers, his) = try await duo.talk()
        for call in [hers, his] {
            XCTAssertGreaterThan(call.view.value.connectedMs ?? 0, 1_700_000_000_000, "how long they have talked can be shown")
        }
        for state in [MicrophoneState.off, .on] {
            try await hers.setMicrophone(state)
            try await his.view.until { $0.theirMicrophone == state }
        }
        try await his.hangUp()
        same(await hers.ended(), .peerHungUp)
    }

    func testADeclinedCallIsOverForBoth() async throws {
        let duo = try await friends()
        let hers = try await duo.anna.call(duo.benId)
        let his = try await duo.rings(hers)
        try await his.decline()
        same([await hers.ended(), await his.ended()], [.peerDeclined, .declined])
        same(try await hers.connected(), false)
    }

    func testWhoGivesUpLeavesAMissedCall() async throws {
        let duo = try await friends()
        let hers = try await duo.anna.call(duo.benId)
        let his = try await duo.rings(hers)
        same([hers.direction, his.direction], [.outgoing, .incoming])
        try await hers.hangUp()
        same([await hers.ended(), await his.ended()], [.cancelled, .missed])
    }

    func testAnIncomingCallIsToldOnce() async throws {
        let duo = try await friends()
        let incoming = duo.ben.incoming
        let watch = Task {
            var seen: [CallId] = []
            for await call in incoming { seen.append(call.id) }
            return seen
        }
        let hers = try await duo.anna.call(duo.benId)
        let his = try await duo.rings(hers)
        try await hers.hangUp()
        _ = await his.ended()
        watch.cancel()
        same(await watch.value, [hers.id])
    }

    func testACancelledTaskHangsUp() async throws {
        let duo = try await friends()
        let calling = Task { try await duo.anna.call(duo.benId).connected() }
        let hers = try await duo.anna.calls.until { !$0.isEmpty }[0]
        let his = try await duo.rings(duo.anna.of(hers))
        calling.cancel()
        do {
            _ = try await calling.value
            XCTFail("it was cancelled")
        } catch is CancellationError {}
        same(await his.ended(), .missed)
    }

    func testWhoIsInACallIsBusy() async throws {
        let duo = try await friends()
        let (hers, _) = try await duo.talk()
        same(try await code { try await duo.anna.call(duo.benId) }, .busy)
        try await hers.hangUp()
    }

    func testACallThatIsOverCannotBeUsed() async throws {
        let duo = try await friends()
        let hers = try await duo.anna.call(duo.benId)
        let his = try await duo.rings(hers)
        try await hers.hangUp()
        _ = (await hers.ended(), await his.ended())
        same(try await code { try await hers.hangUp() }, .noSuchCall)
        same(try await code { try await hers.answer() }, .noSuchCall)
        same(try await code { try await hers.setMicrophone(.off) }, .noSuchCall)
    }

    func testOnlyFriendsCanBeCalled() async throws {
        let duo = try await friends()
        let nobody = UserId(hex: String(repeating: "ab", count: 16))
        same(try await code { try await duo.anna.call(nobody) }, .notFriends)
    }

    func testThePhonesSoundIsAskedForWhileItIsNeeded() async throws {
        let duo = try await friends()
        let hers = try await duo.anna.call(duo.benId)
        let his = try await duo.rings(hers)
        try await duo.anna.audio.until { $0 == .call }
        same(duo.ben.audio.value, .idle)
        try await his.answer()
        try await duo.ben.audio.until { $0 == .call }
        try await hers.hangUp()
        for phone in [duo.anna, duo.ben] { try await phone.audio.until { $0 == .idle } }
    }

    func testAQuietCallTellsLittle() async throws {
        let duo = try await friends()
        let (hers, _) = try await duo.talk()
        let events = duo.anna.events
        let count = Task {
            var told = 0
            for await _ in events { told += 1 }
            return told
        }
        let began = ContinuousClock.now
        // Two seconds of a sound card in a silent room.
        let card = Card(duo.anna.sound, Recording(samples: [Int16](repeating: 0, count: 48_000)))
        try await card.plays(ms: 2_000)
        same(card.close(), [])
        count.cancel()
        // By the seconds that passed: a busy machine makes more of them.
        let seconds: Double = (ContinuousClock.now - began) / Duration.seconds(1)
        let told = await count.value
        XCTAssertLessThanOrEqual(Double(told), 5 * seconds)
        try await hers.hangUp()
    }

    func testACallsScreenIsToldWhatToOfferAndHowItSounds() async throws {
        let duo = try await friends()
        let hers = try await duo.anna.call(duo.benId)
        let his = try await duo.rings(hers)
        same([his.view.value.choices, hers.view.value.choices], [[.decline, .answer], [.hangUp]])
        try await his.answer()
        _ = (try await hers.connected(), try await his.connected())
        same(hers.view.value.choices, [.microphone, .camera, .screen, .hangUp])
        let cards = try [duo.anna, duo.ben].map { Card($0.sound, try .voice("ben")) }
        let before = try await duo.anna.diagnostics()
        same(before.quality(since: before, with: duo.benId), nil)
        try await cards[0].until { try await duo.anna.diagnostics().quality(since: before, with: duo.benId) != nil }
        _ = cards.map { $0.close() }
        try await hers.hangUp()
        _ = await hers.ended()
        same(hers.view.value.choices, [])
    }

    func testACallOutlivesTheAppGoingToTheBackgroundAndBack() async throws {
        let duo = try await friends()
        let (hers, his) = try await duo.talk()
        try await duo.anna.onBackground()
        duo.anna.onForeground()
        duo.anna.networkChanged(NetworkSnapshot(kind: .wifi, metered: false, addresses: []))
        try await duo.ben.chat(with: duo.annaId).send("still there?")
        try await duo.anna.chat(with: duo.benId).latest().until { $0.first?.text == "still there?" }
        try await his.view.until { $0.state == .connected }
        try await hers.hangUp()
    }
}
