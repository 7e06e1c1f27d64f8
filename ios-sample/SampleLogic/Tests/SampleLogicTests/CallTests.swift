import SidetoneTestkit
import XCTest

@testable import SampleLogic
@testable import Sidetone

@MainActor
final class CallTests: XCTestCase, @unchecked Sendable {
    private func ring(_ two: Two) async throws {
        await two.anna.home.call(two.benId)
        try await until { two.ben.home.call != nil && two.anna.home.call != nil }
    }

    func testACallIsTakenMutedHeardAndEnded() async throws {
        let two = try await Two()
        try await ring(two)
        let (hers, his) = (two.anna.home.call!, two.ben.home.call!)
        same([hers.words, his.words], [Phrase(.callRinging), Phrase(.callIncoming)])
        same(his.choices, [.decline, .answer])
        await two.ben.home.choose(.answer)
        for call in [hers, his] { try await until { call.words == Phrase(.callConnected) } }
        let cards = try [two.anna, two.ben].map { Card($0.sample.client!.sound, try .voice($0.name == two.anna.name ? "anna" : "ben")) }
        try await until { hers.quality != nil && hers.talkedS > 0 }
        try await until { hers.view.route?.word == .routeDirect }
        same(hers.verification, .notVerified)
        await two.anna.home.choose(.microphone)
        try await until { his.view.theirMicrophone == .off }
        await two.anna.home.choose(.microphone)
        try await until { his.view.theirMicrophone == .on }
        await two.ben.home.choose(.hangUp)
        for call in [hers, his] { try await until { call.words == Phrase(.endOver) && call.isOver && call.choices.isEmpty } }
        two.anna.home.forgetCall()
        same(two.anna.home.call == nil, true)
        _ = cards.map { $0.close() }
        await two.close()
    }

    func testACallIsNotTakenWithoutAMicrophoneAndThePersonIsTold() async throws {
        let two = try await Two()
        two.ben.desk.forbidden = [.microphone, .camera]
        try await ring(two)
        await two.ben.home.choose(.answer)
        same(two.ben.home.forbidden?.trouble, .microphoneForbidden)
        same(two.ben.home.call?.choices, [.decline, .answer])
        two.ben.desk.forbidden = [.camera]
        two.ben.home.dismiss()
        await two.ben.home.choose(.answer)
        try await until { two.ben.home.call?.words == Phrase(.callConnected) }
        await two.ben.home.choose(.camera)
        same(two.ben.home.forbidden, .camera)
        two.ben.desk.forbidden = []
        await two.ben.home.choose(.camera)
        try await until { two.anna.home.call?.view.theirShows.camera == true && two.ben.home.call?.view.shows.camera == true }
        XCTAssertTrue(two.ben.desk.camera)
        await two.ben.home.choose(.screen)
        try await until { two.anna.home.call?.view.theirShows.screen == .text }
        await two.ben.home.choose(.hangUp)
        try await until { two.ben.home.call?.isOver == true }
        two.ben.home.forgetCall()
        XCTAssertFalse(two.ben.desk.camera)
        await two.close()
    }

    func testADeclinedCallSaysSoAndTheNextOneIsAnother() async throws {
        let two = try await Two()
        try await ring(two)
        let first = two.anna.home.call!
        await two.ben.home.choose(.decline)
        try await until { first.words == Phrase(.endDeclined) }
        try await until { two.ben.home.call?.isOver == true }
        try await ring(two)
        try await until { two.anna.home.call !== first }
        await two.anna.home.choose(.hangUp)
        await two.close()
    }

    func testACallThatReconnectsCountsDown() async {
        let state = CallState.reconnecting(remainingMs: 7_001)
        same(state.leftS, 8)
        same(state.words(.incoming), Phrase(.callReconnecting))
        same(CallState.connected.leftS, nil)
        same(CallEnd.notTrusted.word, .endNotTrusted)
    }
}
