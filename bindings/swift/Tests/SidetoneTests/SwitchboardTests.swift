import Foundation
import Sidetone
import SidetoneDevices
import SidetoneTestkit
import XCTest

final class SwitchboardTests: XCTestCase {
    private typealias Order = Switchboard.Order
    private let start = ContinuousClock.now
    private let (push, action, other) = (UUID(), UUID(), UUID())
    private let id = CallId(hex: "00112233445566778899aabbccddeeff")
    private let known = UUID(uuidString: "00112233-4455-6677-8899-AABBCCDDEEFF")!

    private func view(
        _ state: CallState = .ringing, _ direction: CallDirection = .incoming, microphone: MicrophoneState = .on
    ) -> CallView {
        let (shows, wants) = (Shows(camera: false, screen: nil), Wants(camera: .max, screen: .max))
        return CallView(
            call: id, peer: UserId(hex: String(repeating: "ab", count: 16)), direction: direction, state: state, route: nil,
            microphone: microphone, theirMicrophone: .on, shows: shows, theirShows: shows, theirWants: wants, connectedMs: nil)
    }

    private func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

    /// A phone that a push woke, and the server is reached.
    private func woken() -> Switchboard {
        var board = Switchboard()
        same(board.woken(by: push, at: start), [.ring(push, name: nil)])
        board.online(true, at: at(1))
        return board
    }

    func testAPushRingsAtOnceAndTheCallThatComesTakesItOver() {
        var board = woken()
        XCTAssertTrue(board.isBusy)
        same(board.changed(view(), name: "Anna"), [.name(push, "Anna")])
        same(board.deadline, nil)
        same(board.wished(.answer, of: push, by: action), [.choose(.answer, id, action: action)])
        same(board.changed(view(.connecting), name: "Anna"), [])
        same(board.changed(view(.connected), name: "Anna"), [])
        same(board.wished(.end, of: push, by: other), [.choose(.hangUp, id, action: other)])
        // The system ended it and is not told so.
        same(board.changed(view(.ended(reason: .hungUp)), name: "Anna"), [])
        XCTAssertFalse(board.isBusy)
    }

    func testAnAnswerThatIsGivenBeforeTheCallIsKnownIsCarriedOutOnceItIs() {
        var board = woken()
        same(board.wished(.answer, of: push, by: action), [])
        same(board.changed(view(), name: "Anna"), [.name(push, "Anna"), .choose(.answer, id, action: action)])
        same(board.changed(view(.connecting), name: "Anna"), [])
        same(board.passed(at(60)), [])
    }

    func testACallThatIsDeclinedBeforeItIsKnownDoesNotRingAgain() {
        var board = woken()
        same(board.wished(.answer, of: push, by: action), [])
        same(board.wished(.end, of: push, by: other), [.fail(action), .fulfil(other)])
        XCTAssertFalse(board.isBusy)
        same(board.changed(view(), name: "Anna"), [.choose(.decline, id, action: nil)])
        same(board.changed(view(), name: "Anna"), [])
        same(board.changed(view(.ended(reason: .declined)), name: "Anna"), [])
        // The next one does.
        same(board.changed(view(), name: "Anna"), [.ring(known, name: "Anna")])
    }

    func testWhatWasDeclinedInVainIsForgottenInTime() {
        var board = woken()
        same(board.wished(.end, of: push, by: action), [.fulfil(action)])
        same(board.passed(at(11)), [])
        same(board.changed(view(), name: "Anna"), [.ring(known, name: "Anna")])
    }

    func testAPushWithoutACallEndsByItselfAndSaysWhy() {
        var board = woken()
        same(board.deadline, at(11))
        same(board.passed(at(10)), [])
        same(board.passed(at(11)), [.end(push, .unanswered)])
        XCTAssertFalse(board.isBusy)
        same(board.passed(at(12)), [])

        board = woken()
        same(board.wished(.answer, of: push, by: action), [])
        same(board.passed(at(11)), [.fail(action), .end(push, .remoteEnded)])

        board = Switchboard()
        same(board.woken(by: push, at: start), [.ring(push, name: nil)])
        same(board.deadline, at(10))
        same(board.passed(at(10)), [.end(push, .failed)])
    }

    func testAServerThatComesAndGoesDoesNotKeepItRinging() {
        var board = woken()
        for second in 2..<30 { board.online(second % 2 == 1, at: at(second)) }
        same(board.deadline, at(20))
        board = Switchboard()
        board.online(true, at: start)
        same(board.woken(by: push, at: start), [.ring(push, name: nil)])
        board.online(true, at: at(5))
        same(board.deadline, at(10))
    }

    func testEveryPushIsReportedAndNoCallRingsTwice() {
        var board = woken()
        same(board.woken(by: other, at: at(2)), [.ring(push, name: nil)])
        same(board.changed(view(), name: "Anna"), [.name(push, "Anna")])
        same(board.woken(by: other, at: at(3)), [.ring(push, name: "Anna")])
        same(board.changed(view(.ended(reason: .missed)), name: "Anna"), [.end(push, .unanswered)])
        same(board.woken(by: other, at: at(4)), [.ring(other, name: nil)])
        // A push that comes after the socket brought its call.
        board = Switchboard()
        same(board.changed(view(), name: "Anna"), [.ring(known, name: "Anna")])
        same(board.woken(by: push, at: start), [.ring(known, name: "Anna")])
        same(board.deadline, nil)
        // Who declined one is called by the next.
        board = woken()
        same(board.wished(.end, of: push, by: action), [.fulfil(action)])
        same(board.woken(by: other, at: at(3)), [.ring(other, name: nil)])
    }

    func testAnAnswerInTheAppStopsTheRingingOfTheSystem() {
        var board = Switchboard()
        same(board.changed(view(), name: "Anna"), [.ring(known, name: "Anna")])
        same(board.changed(view(.connecting), name: "Anna"), [.answer(known)])
        // The request comes back as an action.
        same(board.wished(.answer, of: known, by: action), [.fulfil(action)])
        same(board.changed(view(.connected), name: "Anna"), [])
        same(board.changed(view(.ended(reason: .connectionLost)), name: "Anna"), [.end(known, .failed)])
        same(board.changed(view(.ended(reason: .connectionLost)), name: "Anna"), [])
    }

    func testACallThatGoesOutIsPlacedAndNoPushIsTakenForIt() {
        var board = woken()
        same(board.changed(view(.ringing, .outgoing), name: "Anna"), [.place(known, name: "Anna")])
        same(board.changed(view(.connecting, .outgoing), name: "Anna"), [])
        same(board.changed(view(.connected, .outgoing), name: "Anna"), [.connected(known)])
        same(board.changed(view(.connected, .outgoing, microphone: .off), name: "Anna"), [])
        same(board.passed(at(11)), [.end(push, .unanswered)])
        same(board.changed(view(.ended(reason: .peerHungUp), .outgoing), name: "Anna"), [.end(known, .remoteEnded)])
    }

    func testWhoIsMutedAlreadyIsNotUnmuted() {
        var board = woken()
        same(board.wished(.mute(true), of: push, by: action), [.fail(action)])
        _ = (board.changed(view(), name: "Anna"), board.changed(view(.connected), name: "Anna"))
        same(board.wished(.mute(false), of: push, by: action), [.fulfil(action)])
        same(board.wished(.mute(true), of: push, by: action), [.choose(.microphone, id, action: action)])
        _ = board.changed(view(.connected, microphone: .off), name: "Anna")
        same(board.wished(.mute(true), of: push, by: action), [.fulfil(action)])
    }

    func testWhatTheSystemDoesNotShowIsNotReportedToIt() {
        var board = woken()
        board.hidden(push)
        same(board.passed(at(60)), [])
        same(board.changed(view(), name: "Anna"), [.ring(known, name: "Anna")])
        board.hidden(known)
        XCTAssertFalse(board.isBusy)
        same(board.changed(view(.connecting), name: "Anna"), [])
        same(board.wished(.answer, of: known, by: action), [.fail(action)])
        same(board.wished(.end, of: known, by: action), [.fulfil(action)])
        same(board.changed(view(.ended(reason: .hungUp)), name: "Anna"), [])
        // What a further push is told of a call that goes on changes nothing about it.
        _ = (board.changed(view(), name: "Anna"), board.changed(view(.connected), name: "Anna"))
        board.hidden(known)
        same(board.changed(view(.ended(reason: .peerHungUp)), name: "Anna"), [.end(known, .remoteEnded)])
    }

    func testASystemThatLostItsCallsLeavesNobodyTalkingUnseen() {
        var board = woken()
        same(board.reset(), [])
        same(board.passed(at(60)), [])
        _ = (board.changed(view(), name: "Anna"), board.changed(view(.connected), name: "Anna"))
        same(board.reset(), [.choose(.hangUp, id, action: nil)])
        same(board.changed(view(.ended(reason: .hungUp)), name: "Anna"), [])
    }

    func testAPhoneThatSleepsAnswersBeforeItKnowsWhoCallsAndTheyTalk() async throws {
        let server = try TestServer.start()
        let duo = try await Phones.friends(server: server.url())
        let hers = try await duo.wakes(server)
        var board = Switchboard()
        same(board.woken(by: push, at: start), [.ring(push, name: nil)])
        same(board.wished(.answer, of: push, by: action), [])
        duo.ben.handlePush()
        let rings = try await duo.ben.calls.until { !$0.isEmpty }[0]
        same(board.changed(rings, name: "Anna"), [.name(push, "Anna"), .choose(.answer, hers.id, action: action)])
        try await duo.ben.of(rings).answer()
        same(try await hers.connected(), true)
        await duo.close()
        server.stop()
    }
}
