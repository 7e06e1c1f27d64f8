import Foundation
import XCTest

@testable import Sidetone

final class FriendsTests: XCTestCase {
    func testARequestThatIsAcceptedMakesFriendsOfBoth() async throws {
        let duo = try await Phones.friends()
        let (ben, anna) = (try await duo.anna.friend(duo.benId)!, try await duo.ben.friend(duo.annaId)!)
        same(ben.standing, .friend)
        same(anna.name, try await duo.anna.name())
        await duo.close()
    }

    func testNobodyHasThisName() async throws {
        let phone = try await Phones.registered()
        same(try await code { try await phone.befriend("nobody") }, .noSuchPerson)
        await phone.close()
    }

    func testADeclinedRequestLeavesNoFriendship() async throws {
        let (anna, ben) = (try await Phones.registered(), try await Phones.registered())
        _ = try await anna.befriend(ben.name())
        let her = try await ben.friends.until { !$0.isEmpty }[0].user
        try await ben.decline(her)
        try await ben.friends.until { !$0.contains { $0.standing == .askedUs } }
        for phone in [anna, ben] { await phone.close() }
    }

    func testBothSeeTheSameSixtyDigits() async throws {
        let duo = try await Phones.friends()
        let (hers, his) = (try await duo.anna.safetyNumber(duo.benId)!, try await duo.ben.safetyNumber(duo.annaId)!)
        same(hers, his)
        same(hers.filter(\.isNumber).count, 60)
        await duo.close()
    }

    func testAScannedCodeVerifies() async throws {
        let duo = try await Phones.friends()
        let code = try await duo.ben.safetyCode(duo.annaId)!
        same(try await duo.anna.scan(duo.benId, code: code), .match)
        try await duo.anna.friends.until { $0.contains(where: \.verified) }
        try await duo.anna.setVerified(duo.benId, false)
        try await duo.anna.friends.until { !$0.contains(where: \.verified) }
        await duo.close()
    }

    func testWhatIsNoCodeIsRefusedAndVerifiesNobody() async throws {
        let duo = try await Phones.friends()
        for length in [0, 1, 100_000] {
            let text = String(repeating: "A", count: length)
            same(try await code { try await duo.anna.scan(duo.benId, code: text) }, .notACode)
        }
        same(try await duo.anna.friend(duo.benId)!.verified, false)
        await duo.close()
    }

    func testAnIdThatThisLibraryNeverGaveIsRefused() async throws {
        let phone = try await Phones.registered()
        for hex in ["", "00", String(repeating: "zz", count: 16), String(repeating: "00", count: 17), "👋👋👋👋👋👋👋👋"] {
            same(try await code { try await phone.accept(UserId(hex: hex)) }, .notAnId)
        }
        let nobody = try await phone.friend(UserId(hex: String(repeating: "00", count: 16)))
        XCTAssertNil(nobody)
        same(try await code { try await phone.befriend("somebody", key: PublicKey(hex: "12")) }, .notAnId)
        await phone.close()
    }

    func testAKeyThatCameByAnotherWayIsChecked() async throws {
        let (anna, ben) = (try await Phones.registered(), try await Phones.registered())
        let (wrong, right) = (anna.account.value!.key, ben.account.value!.key)
        let name = try await ben.name()
        same(try await code { try await anna.befriend(name, key: wrong) }, .keyChanged)
        _ = try await anna.befriend(name, key: right)
        for phone in [anna, ben] { await phone.close() }
    }

    func testWhoIsBlockedCannotWrite() async throws {
        let duo = try await Phones.friends()
        try await duo.ben.block(duo.annaId)
        try await duo.anna.friends.until { !$0.contains { $0.standing == .friend } }
        same(try await code { try await duo.anna.chat(with: duo.benId).send("hello") }, .notFriends)
        try await duo.ben.unblock(duo.annaId)
        await duo.close()
    }

    func testWhoClosesTheAppIsAway() async throws {
        let duo = try await Phones.friends()
        await duo.anna.close()
        try await duo.ben.friends.until { !$0.contains(where: \.online) }
        await duo.close()
    }

    func testAFriendshipEndsForBoth() async throws {
        let duo = try await Phones.friends()
        try await duo.anna.unfriend(duo.benId)
        for phone in [duo.anna, duo.ben] {
            try await phone.friends.until { !$0.contains { $0.standing == .friend } }
        }
        await duo.close()
    }
}
