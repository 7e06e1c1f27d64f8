import Foundation
import SidetoneTestkit
import XCTest

@testable import Sidetone

final class PushTests: XCTestCase {
    func testAPhoneThatSleepsIsWokenByACallAndItRings() async throws {
        let server = try TestServer.start()
        let duo = try await Phones.friends(server: server.url())
        // Any point does for a key: here nobody opens what comes.
        let key = try await duo.ben.pushKey()
        try await duo.ben.setPush(.web(endpoint: server.pushEndpoint(), key: key, auth: Data(repeating: 1, count: 16)))
        try await duo.ben.onBackground()
        try await duo.ben.online.until { !$0 }
        let hers = try await duo.anna.call(duo.benId)
        let woken = await server.nextWakeUp()
        XCTAssertTrue(woken)
        XCTAssertTrue(duo.ben.calls.value.isEmpty, "the control: it sleeps")
        duo.ben.handlePush()
        try await duo.rings(hers).answer()
        same(try await hers.connected(), true)
        await duo.close()
        same(try await code { try await duo.ben.setPush(nil) }, .closed)
        server.stop()
    }

    func testAnAddressThatIsNoneIsRefused() async throws {
        let phone = try await Phones.registered()
        let key = try await phone.pushKey()
        same(key.count, 65)
        let bad: [PushAddress] = [
            .web(endpoint: "http://localhost/wake", key: key, auth: Data(count: 16)),
            .web(endpoint: "https://localhost/wake", key: key, auth: Data(count: 15)),
            .web(endpoint: "https://", key: key, auth: Data(count: 16)),
            .web(endpoint: "https://anna@localhost/wake", key: key, auth: Data(count: 16)),
            .apple(token: "no token"), .firebase(token: ""),
        ]
        for address in bad { same(try await code { try await phone.setPush(address) }, .notAPushAddress) }
        try await phone.setPush(.firebase(token: "a-token"))
        try await phone.setPush(nil)
        await phone.close()
    }
}
