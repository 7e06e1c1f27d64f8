import XCTest

@testable import Sidetone

final class AccountTests: XCTestCase {
    func testWhoRegistersIsInTheAccount() async throws {
        let phone = try await Phones.bare()
        XCTAssertNil(phone.account.value)
        let name = Phones.name()
        try await phone.register(name: name, email: "\(name)@example.org", password: "a long password")
        let account = try await phone.account.until { $0 != nil }!
        same(account.name, name)
        XCTAssertTrue(account.valid)
        await phone.close()
    }

    func testANameThatIsTakenSaysSoAndWhatToDo() async throws {
        let (first, second) = (try await Phones.registered(), try await Phones.bare())
        let name = try await first.name()
        let error = try await failing {
            try await second.register(name: name, email: "other@example.org", password: "a long password")
        }
        same(error.code, .nameTaken)
        same(error.code.rawValue, 5)
        same(error.userAction, .correct)
        XCTAssertFalse(error.retryable)
        same(error.localizedDescription, "the name is taken (5)")
        for phone in [first, second] { await phone.close() }
    }

    func testWhatIsNoNameAndWhatIsNoAddressIsRefused() async throws {
        let phone = try await Phones.bare()
        for (name, email, expected) in [
            ("", "a@example.org", ErrorCode.nameInvalid), ("a\0b", "a@example.org", .nameInvalid),
            (Phones.name(), "", .emailInvalid),
        ] {
            let seen = try await code { try await phone.register(name: name, email: email, password: "a long password") }
            same(seen, expected)
        }
        await phone.close()
    }

    func testAWrongPasswordOpensNothing() async throws {
        let (owner, other) = (try await Phones.registered(), try await Phones.bare())
        let name = try await owner.name()
        same(try await code { try await other.signIn(name: name, password: "not it") }, .wrongLogin)
        XCTAssertNil(other.account.value)
        for phone in [owner, other] { await phone.close() }
    }

    func testAnAccountIsEnteredFromAnotherPhoneAndTheFirstLearnsOfIt() async throws {
        let (old, new) = (try await Phones.registered(), try await Phones.bare())
        let name = try await old.name()
        try await new.signIn(name: name, password: "password of \(name)")
        same(try await new.name(), name)
        try await old.account.until { $0?.valid == false }
        for phone in [old, new] { await phone.close() }
    }

    func testWithoutAnAccountThereIsNothingToDo() async throws {
        let phone = try await Phones.bare()
        let error = try await failing { try await phone.befriend("somebody") }
        same(error.code, .signedOut)
        same(error.userAction, .signIn)
        same(try await code { try await phone.signOut() }, .signedOut)
        await phone.close()
    }

    func testAPhoneHasOneAccountAtATime() async throws {
        let phone = try await Phones.registered()
        let seen = try await code {
            try await phone.register(name: Phones.name(), email: "b@example.org", password: "a long password")
        }
        same(seen, .signedIn)
        await phone.close()
    }

    func testWhoSignsOutLeavesNothingOnThePhone() async throws {
        let duo = try await Phones.friends()
        try await duo.anna.signOut()
        try await duo.anna.account.until { $0 == nil }
        try await duo.anna.friends.until(\.isEmpty)
        await duo.close()
    }

    func testTheServersWholeKnowledgeCanBeRead() async throws {
        let phone = try await Phones.registered()
        let (name, json) = (try await phone.name(), try await phone.exportAccount())
        XCTAssertTrue(json.hasPrefix("{") && json.contains(name), json)
        await phone.close()
    }

    func testADeletedAccountIsNobodysFriend() async throws {
        let (gone, other) = (try await Phones.registered(), try await Phones.registered())
        let name = try await gone.name()
        try await gone.deleteAccount()
        try await gone.account.until { $0 == nil }
        same(try await code { try await other.befriend(name) }, .noSuchPerson)
        for phone in [gone, other] { await phone.close() }
    }

    func testRulesAreSet() async throws {
        let phone = try await Phones.registered()
        let rules: [AddressRule] = [.direct, .relayUntilAccepted, .relayUntilVerified, .never]
        for rule in rules { try await phone.setAddresses(rule) }
        for rule in [ReceiptRule.send, .keep] { try await phone.setReceipts(rule) }
        await phone.close()
    }
}
