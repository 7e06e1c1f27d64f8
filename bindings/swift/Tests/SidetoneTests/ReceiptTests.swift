import XCTest

@testable import Sidetone

private func receipt(_ phone: Client, _ peer: ReceiptPeer) async throws -> PrivacyReceipt {
    try await phone.privacyReceipts().first { $0.peer == peer }!
}

final class ReceiptTests: XCTestCase {
    func testACallWithAFriendLeavesAReceiptOfWhatPassedAndOfWhatStays() async throws {
        let duo = try await Phones.friends()
        let (hers, _) = try await duo.talk()
        let ben = ReceiptPeer.friend(user: duo.benId)
        // A relay may have been first.
        try await duo.anna.until {
            try await receipt(duo.anna, ben).routes.contains { if case .direct = $0.route { $0.toMs == nil } else { false } }
        }
        let lasting = try await receipt(duo.anna, ben)
        XCTAssertTrue(lasting.tookMs == nil && lasting.erased == nil, "\(lasting)")
        XCTAssertTrue(lasting.direct.sent > 0 && lasting.direct.received > 0 && lasting.signaling.sent > 0, "\(lasting)")
        XCTAssertTrue(lasting.links >= 1 && lasting.keys.sessions >= 1 && lasting.keys.sound >= 2, "\(lasting)")
        XCTAssertTrue(lasting.server.hasPrefix("127.0.0.1"), lasting.server)
        try await hers.hangUp()
        await duo.ben.close()
        // The link is over when the friend is gone.
        try await duo.anna.until { try await receipt(duo.anna, ben).tookMs != nil }
        let over = try await receipt(duo.anna, ben)
        XCTAssertTrue(over.erased!.keys >= over.keys.sessions && over.erased!.links == over.links, "\(over)")
        XCTAssertGreaterThan(over.kept.rows, 0)
        await duo.anna.close()
        same(try await code { try await duo.anna.privacyReceipts() }, .closed)
    }

    func testARoomAndAStrangerLeaveTheirsAndNothingIsKeptOfAStranger() async throws {
        let mates = try await Mates.meet(Mates.policy())
        try await mates.hers.leave()
        let room = try await receipt(mates.anna, .room(room: mates.hers.id))
        XCTAssertTrue(room.tookMs != nil && room.erased!.links >= 1 && room.keys.sound > 0, "\(room)")
        await mates.close()
        let (anna, ben) = try await Encounter.meet()
        let id = anna.strangers.stranger!.id
        try await anna.strangers.say("hello")
        let report = try await anna.strangers.end()
        let stranger = try await receipt(anna, .stranger(id: id))
        same(stranger.erased, report.erased)
        same(stranger.kept, KeptCount(rows: 0, bytes: 0))
        for phone in [anna, ben] { await phone.close() }
    }
}
