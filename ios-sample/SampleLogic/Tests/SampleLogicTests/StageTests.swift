import Foundation
import SidetoneTestkit
import XCTest

@testable import SampleLogic
@testable import Sidetone

@MainActor
final class StageTests: XCTestCase, @unchecked Sendable {
    func testSomebodyNewComesInAndGoesOutAgain() async throws {
        let phone = try await Phone.registered()
        same(phone.home.friends.me?.name, phone.name)
        same(phone.sample.form, Credentials())
        await phone.home.settings.signOut()
        try await until { phone.sample.stage == .welcome }
        XCTAssertNil(phone.sample.home)
        await phone.close()
    }

    func testAWrongPasswordSaysSoAndTheNameStays() async throws {
        let phone = try await Phone.registered()
        await phone.home.settings.signOut()
        try await until { phone.sample.stage == .welcome }
        phone.sample.again()
        (phone.sample.form.name, phone.sample.form.password) = (phone.name, "another")
        await phone.sample.signIn()
        same(phone.sample.stage, .blocked(.wrongPassword))
        phone.sample.again()
        same(phone.sample.stage, .welcome)
        same([phone.sample.form.name, phone.sample.form.password], [phone.name, ""])
        phone.sample.form.password = phone.password
        await phone.sample.signIn()
        try await until { phone.sample.stage == .home }
        await phone.close()
    }

    func testATakenNameIsSaidAndNothingIsLost() async throws {
        let (anna, other) = (try await Phone.registered(), Phone())
        await other.sample.start()
        try await other.sample.client!.online.until { $0 }
        other.sample.form.name = anna.name
        (other.sample.form.email, other.sample.form.password) = ("other@example.org", "p")
        await other.sample.signIn()
        same(other.sample.notice, Phrase(.errorNameTaken))
        same(other.sample.form.name, anna.name)
        other.sample.dismiss()
        same(other.sample.notice, nil)
        for phone in [anna, other] { await phone.close() }
    }

    func testWithoutAServerThePersonIsToldThatThereIsNone() async throws {
        let phone = Phone(server: "ws://127.0.0.1:9")
        await phone.sample.start()
        (phone.sample.form.name, phone.sample.form.email, phone.sample.form.password) = ("anna", "a@example.org", "p")
        await phone.sample.signIn()
        same(phone.sample.notice, Phrase(.errorOffline))
        await phone.close()
        let bad = Phone(server: "no address")
        await bad.sample.start()
        same(bad.sample.stage, .blocked(.noServer))
        await bad.sample.use(" \(Phones.url) ")
        try await until { bad.sample.stage == .welcome }
        same(bad.sample.memory.server, Phones.url)
        await bad.close()
    }

    func testAPhoneThatIsLockedOpensAfterItsUnlocking() async throws {
        let vault = LockedVault()
        let sample = Sample(device: Desk(), memory: Memory(UUID().uuidString)) {
            try await Client.open(Phones.options(), vault: vault)
        }
        await sample.start()
        same(sample.stage, .blocked(.phoneLocked))
        vault.unlock()
        await sample.start()
        try await until { sample.stage == .welcome }
        await sample.client?.close()
    }

    func testADamagedStoreOffersToSaveWhatCanBeRead() async throws {
        let folder = try folder()
        try Data(repeating: 1, count: 8_192).write(to: URL(fileURLWithPath: folder + "/anna.db"))
        let phone = Phone(store: folder + "/anna.db")
        await phone.sample.start()
        guard case .blocked(let trouble) = phone.sample.stage else { return XCTFail("\(phone.sample.stage)") }
        same(trouble.face.remedy, .salvage)
    }

    func testWhatTheSoundIsNeededForReachesThePhone() async throws {
        let two = try await Two()
        await two.anna.home.call(two.benId)
        try await until { two.anna.home.call != nil }
        try await two.anna.sample.client!.audio.until { $0 == .call }
        try await patient { while await two.anna.desk.intents.last != .call { await Task.yield() } }
        await two.anna.home.choose(.hangUp)
        await two.close()
    }

    func testEverythingOnThisPhoneIsErased() async throws {
        let folder = try folder()
        let phone = try await Phone.registered(store: folder + "/anna.db")
        await phone.sample.wipe(downloads: nil)
        try await until { phone.sample.stage == .welcome }
        try await phone.sample.client!.online.until { $0 }
        (phone.sample.form.name, phone.sample.form.password) = (phone.name, phone.password)
        phone.sample.form.isNew = false
        await phone.sample.signIn()
        try await until { phone.sample.stage == .home }
        await phone.close()
    }

    func testAFriendsCallWakesThisPhoneByWhatTheSystemOffers() async throws {
        let server = try TestServer.start()
        let two = try await Two(server: server.url())
        let client = two.ben.sample.client!
        let key = try await client.pushKey()
        XCTAssertFalse(two.ben.home.settings.isWoken)
        two.ben.sample.reach = .web(endpoint: server.pushEndpoint(), key: key, auth: Data(repeating: 1, count: 16))
        try await until { two.ben.home.settings.isWoken }
        try await client.onBackground()
        try await client.online.until { !$0 }
        await two.anna.home.call(two.benId)
        let woken = await server.nextWakeUp()
        XCTAssertTrue(woken)
        XCTAssertNil(two.ben.home.call, "the control: it sleeps")
        await two.ben.sample.wake()
        // As CallKit does it, to which the call may be told before a screen has it.
        let rings = try await client.calls.until { $0.first?.state == .ringing }[0]
        await two.ben.sample.choose(.answer, of: client.of(rings))
        try await until { two.anna.home.call?.words == Phrase(.callConnected) }
        await two.anna.home.settings.readReceipt()
        same(two.anna.home.settings.receipts?.map(\.who), [Phrase(.plain, .text(two.ben.name))])
        two.ben.sample.reach = nil
        try await until { !two.ben.home.settings.isWoken }
        await two.close()
        server.stop()
    }

    func testALinkThatWasFollowedAsksNobodyBeforeThePersonDoes() async throws {
        let phone = try await Phone.registered()
        phone.home.open("sidetone:friend/ben")
        same([phone.home.friends.typed, "\(phone.home.tab)"], ["sidetone:friend/ben", "friends"])
        XCTAssertTrue(phone.home.friends.isAdding && phone.home.friends.groups.isEmpty)
        phone.home.open("https://meet.example/r#AAAA")
        same([phone.home.rooms.typed, "\(phone.home.tab)"], ["https://meet.example/r#AAAA", "rooms"])
        await phone.close()
    }

    func testAnotherServerIsMetAtOnceAndRememberedForTheNextStart() async throws {
        let phone = try await Phone.registered()
        await phone.sample.use(" ws://127.0.0.1:9 ")
        same(phone.sample.memory.server, "ws://127.0.0.1:9")
        try await until { phone.sample.stage == .welcome }
        await phone.close()
    }

    func testEveryErrorHasItsWordsAndEveryTroubleSaysWhatToDo() async {
        for number in 0...300 {
            guard let code = ErrorCode(rawValue: UInt16(number)) else { continue }
            let error = SidetoneError.gone(code, "")
            let said = Phrase(error)
            XCTAssertTrue(said.parts.isEmpty && "\(said.word)".hasPrefix("error"), "\(code)")
        }
        let faces = Trouble.allCases.map(\.face)
        same(Set(faces.map(\.title)).count, Trouble.allCases.count)
        same(Set(faces.map(\.advice)).count, Trouble.allCases.count)
        same(faces.filter { $0.remedy.word == nil }.map(\.remedy), [.wait, .wait])
    }
}
