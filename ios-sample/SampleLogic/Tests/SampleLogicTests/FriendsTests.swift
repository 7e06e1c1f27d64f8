import Foundation
import SidetoneTestkit
import XCTest

@testable import SampleLogic
@testable import Sidetone

@MainActor
final class FriendsTests: XCTestCase, @unchecked Sendable {
    func testALinkSaysWhoAndWithWhichKey() async {
        let key = PublicKey(hex: String(repeating: "ab", count: 32))
        let me = AccountView(user: UserId(hex: ""), name: "ayşe+b", key: key, valid: true)
        let link = Invitation(of: me).link
        same(Invitation("  \(link)\n"), Invitation(of: me))
        same(Invitation("sidetone:friend/a%20b").name, "a b")
        same(Invitation("sidetone:friend/a%20b#").key, nil)
        same(Invitation("ben").name, "ben")
        same([Invitation("").name, Invitation("sidetone:friend/").name, Invitation("sidetone:friend/%zz").name], ["", "", "%zz"])
    }

    func testSomebodyIsAddedByNameAndAnswers() async throws {
        let (anna, ben) = (try await Phone.registered(), try await Phone.registered())
        anna.home.friends.typed = "nobody at all"
        await anna.home.friends.add()
        XCTAssertNotNil(anna.home.friends.notice)
        anna.home.friends.typed = ben.name
        await anna.home.friends.add()
        same(anna.home.friends.asked, Phrase(.askedName, .text(ben.name)))
        same(anna.home.friends.typed, "")
        try await until { ben.home.friends.groups.map(\.title) == [.wantsFriend] }
        try await until { anna.home.friends.groups.map(\.title) == [.asked] }
        await ben.home.friends.decline(ben.home.friends.groups[0].friends[0].user)
        try await until { ben.home.friends.groups.isEmpty }
        for phone in [anna, ben] { await phone.close() }
    }

    func testAKeyThatCameByLinkIsPinned() async throws {
        let (anna, ben) = (try await Phone.registered(), try await Phone.registered())
        let wrong = AccountView(user: UserId(hex: ""), name: ben.name, key: anna.home.friends.me!.key, valid: true)
        await anna.home.friends.add(Invitation(of: wrong).link)
        XCTAssertNotNil(anna.home.friends.notice)
        same(anna.home.friends.asked, nil)
        for phone in [anna, ben] { await phone.close() }
    }

    func testFriendsCompareTheSafetyNumberByReadingAndByScanning() async throws {
        let two = try await Two()
        let (hers, his) = (two.anna.home.verify(two.benId), two.ben.home.verify(two.annaId))
        try await until { hers.groups.count == 12 && hers.groups == his.groups && his.code != nil }
        XCTAssertTrue(hers.groups.allSatisfy { $0.count == 5 })
        await hers.verify(true)
        try await until { hers.friend?.verified == true }
        await hers.verify(false)
        try await until { hers.friend?.verified == false }
        await hers.scanned("https://example.org")
        same(hers.notice, Phrase(.errorCode))
        await hers.scanned(his.code!)
        same(hers.compared, Phrase(.codesMatch))
        try await until { hers.friend?.verified == true }
        await two.close()
    }

    func testAKeyThatChangedIsLookedAtBeforeItIsTaken() async throws {
        let two = try await Two()
        let check = two.anna.home.verify(two.benId)
        let ben = Phone()
        await ben.sample.start()
        try await ben.sample.client!.online.until { $0 }
        ben.sample.again()
        (ben.sample.form.name, ben.sample.form.password) = (two.ben.name, two.ben.password)
        await ben.sample.signIn()
        try await until { check.friend?.changedKey != nil }
        await check.acceptKey()
        try await until { check.friend?.changedKey == nil && check.friend?.verified == false }
        try await until { two.ben.sample.stage == .blocked(.signedOut) }
        await ben.close()
        await two.close()
    }
}
