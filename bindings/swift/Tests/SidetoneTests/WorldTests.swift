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

    private func story(_ seed: UInt64) throws -> (log: [String], digest: UInt64) {
        let world = try friends(seed)
        try world.sendText(from: 0, to: 1, text: "hello")
        try world.handOver(phone: 1, ms: 3_000)
        try world.call(from: 0, to: 1)
        try world.advance(ms: 60_000)
        return (world.log(), world.digest())
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
