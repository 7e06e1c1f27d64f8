import Foundation
import SidetoneTestkit
import XCTest

@testable import Sidetone

final class PushTests: XCTestCase {
    func testAPhoneThatSleepsIsWokenByACallAndItRings() async throws {
        let server = try TestServer.start()
        let duo = try await Phones.friends(server: server.url())
        let hers = try await duo.wakes(server)
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
