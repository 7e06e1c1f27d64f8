import SidetoneTestkit
import XCTest

final class WorldTests: XCTestCase {
    private func friends(_ seed: UInt64) throws -> SimWorld {
        let world = try SimWorld(seed: seed, phones: 2)
        try world.register(phone: 0, name: "anna")
        try world.register(phone: 1, name: "ben")
        try world.befriend(one: 0, other: 1)
        return world
    }

    /// Everything that can go wrong at once.
    private func story(_ seed: UInt64) throws -> (log: [String], digest: UInt64) {
        let world = try friends(seed)
        try world.lie(lies: ServerLies(dropOneIn: 5, twiceOneIn: 5, lateOneIn: 5))
        try world.lose(oneIn: 4)
        try world.setNat(phone: 0, nat: .home)
        try world.setNat(phone: 1, nat: .symmetric)
        try world.sendText(from: 0, to: 1, text: "hello")
        try world.handOver(1, for: .seconds(3))
        try world.call(from: 0, to: 1)
        try world.advance(.seconds(60))
        return (world.log(), world.digest())
    }

    /// The state of a call between phones behind these, 40 seconds after it was answered, and its route at each end.
    private func behind(_ one: SimNat, _ other: SimNat, relays: Bool = true) throws -> (SimCall, SimRoute?, SimRoute?) {
        let world = try friends(8)
        try world.setNat(phone: 0, nat: one)
        try world.setNat(phone: 1, nat: other)
        try world.setRelays(there: relays)
        try world.call(from: 0, to: 1)
        try world.advance(.seconds(3))
        try world.answer(phone: 1)
        try world.advance(.seconds(40))
        return (try world.callState(phone: 0), try world.callRoute(phone: 0), try world.callRoute(phone: 1))
    }

    func testRoutersDecideWhichWayACallTakes() throws {
        XCTAssertTrue(try behind(.home, .home) == (.connected, .direct, .direct))
        XCTAssertTrue(try behind(.open, .symmetric) == (.connected, .direct, .direct))
        XCTAssertTrue(try behind(.home, .symmetric) == (.connected, .theirRelay, .ourRelay))
        XCTAssertTrue(try behind(.symmetric, .blocked) == (.connected, .bothRelays, .bothRelays))
        XCTAssertTrue(try behind(.home, .home, relays: false) == (.connected, .direct, .direct))
        XCTAssertTrue(try behind(.symmetric, .blocked, relays: false) == (.nothing, nil, nil))
    }

    func testWhatIsLostOnTheWayIsSaidAgain() throws {
        let world = try friends(6)
        try world.lose(oneIn: 2)
        for number in 1...5 { try world.sendText(from: 0, to: 1, text: "text \(number)") }
        try world.advance(.seconds(60))
        same(try world.texts(phone: 1, of: 0), (1...5).map { "text \($0)" })
    }

    func testARoomsFloorGoesFromHandToHand() throws {
        let world = try SimWorld(seed: 7, phones: 3)
        for phone in 0...2 { try world.switchOn(phone: UInt32(phone)) }
        XCTAssertThrowsError(try world.press(phone: 0))
        try world.openRoom(phone: 0)
        for phone in 1...2 { try world.joinRoom(phone: UInt32(phone), by: 0) }
        try world.advance(.seconds(20))
        same(try (0...2).map { try world.roomLinks(phone: $0) }, [2, 2, 2])
        try world.press(phone: 1)
        try world.advance(.seconds(1))
        try world.press(phone: 2)
        try world.advance(.seconds(1))
        same(try (0...2).map { try world.floor(phone: $0) }, [.taken, .speaking, .waiting])
        try world.release(phone: 1)
        try world.advance(.seconds(1))
        same(try world.floor(phone: 2), .speaking)
        try world.release(phone: 2)
        try world.leaveRoom(phone: 2)
        try world.advance(.seconds(5))
        same(try world.floor(phone: 0), .free)
        same(try world.roomLinks(phone: 0), 1)
    }

    func testACamerasPicturesShowTheirNumbers() throws {
        let camera = try PatternCamera(width: 320, height: 240)
        let pictures = (0..<300).map { _ in camera.next() }
        same(pictures.map { readPattern(picture: $0) }, (0..<300).map { $0 })
        same(pictures[0].i420.count, 320 * 240 * 3 / 2)
        let torn = pictures[255].i420.prefix(320 * 120) + pictures[7].i420.suffix(320 * 240)
        XCTAssertNil(readPattern(picture: TestPicture(width: 320, height: 240, i420: torn)))
        XCTAssertNil(readPattern(picture: TestPicture(width: .max, height: .max, i420: Data(count: 9))))
        XCTAssertNil(readPattern(picture: TestPicture(width: 320, height: 240, i420: Data(count: 320 * 360))))
        let blurred = Data(pictures[9].i420.map { $0 / 2 + 60 + $0 % 5 })
        same(readPattern(picture: TestPicture(width: 320, height: 240, i420: blurred)), 9)
        XCTAssertThrowsError(try PatternCamera(width: 0, height: 0))
        XCTAssertThrowsError(try PatternCamera(width: 33, height: 32))
    }

    func testTheSameSeedIsTheSameStoryAndAnotherSeedAnother() throws {
        let (one, again, other) = (try story(1), try story(1), try story(2))
        same(one.log, again.log)
        same(one.digest, again.digest)
        XCTAssertNotEqual(one.digest, other.digest)
        XCTAssertTrue(one.log.contains { $0.contains("Message") })
    }

    func testATextArrivesOnceAlthoughTheServerLiesAndThePhoneCrashes() throws {
        let world = try friends(3)
        try world.lie(lies: ServerLies(dropOneIn: 3, twiceOneIn: 3, lateOneIn: 3))
        for number in 1...5 {
            try world.sendText(from: 0, to: 1, text: "text \(number)")
            try world.crash(phone: 1)
            try world.advance(ms: 40_000)
        }
        try world.heal()
        try world.advance(ms: 600_000)
        same(try world.texts(phone: 1, of: 0), (1...5).map { "text \($0)" })
    }

    func testACallGoesThroughAHandover() throws {
        let world = try friends(4)
        try world.call(from: 0, to: 1)
        try world.advance(ms: 3_000)
        same(try world.callState(phone: 1), .ringing)
        try world.answer(phone: 1)
        try world.advance(ms: 10_000)
        same([try world.callState(phone: 0), try world.callState(phone: 1)], [.connected, .connected])
        try world.handOver(phone: 0, ms: 2_000)
        try world.advance(ms: 30_000)
        same(try world.callState(phone: 0), .connected)
        try world.hangUp(phone: 1)
        try world.advance(ms: 5_000)
        same(try world.callState(phone: 0), .nothing)
    }

    func testWhatCannotBeIsAProblemOfTheTestAndNotItsEnd() throws {
        let world = try SimWorld(seed: 5, phones: 2)
        XCTAssertThrowsError(try world.register(phone: 2, name: "nobody"))
        XCTAssertThrowsError(try world.call(from: 0, to: 1))
        XCTAssertThrowsError(try world.hangUp(phone: 0))
        XCTAssertThrowsError(try SimWorld(seed: 5, phones: 17))
        try world.register(phone: 0, name: "anna")
        XCTAssertThrowsError(try world.register(phone: 1, name: "anna"))
        try world.advance(ms: 1_000)
        XCTAssertFalse(world.log().isEmpty)
    }

    func testAToneIsATone() {
        let tone = ToneMicrophone(hertz: 480)
        let (first, second) = (tone.next(ms: 20), tone.next(ms: 20))
        same(first.count, 1_920)
        XCTAssertNotEqual(first, second)
        same(tone.next(ms: .max).count, 96_000)
    }
}
