@testable import Sidetone

/// Two phones without an account in one room.
struct Mates {
    let anna: Client
    let ben: Client
    let hers: Room
    let his: Room

    static func guest(_ name: String, _ memory: RoomMemory = .nothing) -> RoomGuest {
        RoomGuest(name: name, memory: memory, adult: false)
    }

    static func policy(
        scope: RoomScope = .link, speaking: Speaking = .open, door: RoomDoor = .open, members: UInt8 = 16, burst: UInt8 = 30
    ) -> RoomPolicy {
        RoomPolicy(
            scope: scope, routes: .any, speaking: speaking, door: door, audience: .everyone, replay: .allowed,
            members: members, burstS: burst)
    }

    static var talking: RoomPolicy { policy(scope: .code, speaking: .pushToTalk) }

    static func meet(
        _ policy: RoomPolicy, memory: RoomMemory = .nothing, store: String? = nil, linked: Bool = true
    ) async throws -> Mates {
        let (anna, ben) = (try await Phones.bare(), try await Phones.bare(store: store))
        let hers = try await anna.createRoom(policy, as: guest("Anna"), name: "kitchen")
        let his = try await ben.joinLink(hers.link(), as: guest("Ben", memory))
        let mates = Mates(anna: anna, ben: ben, hers: hers, his: his)
        if linked { try await mates.linked() }
        return mates
    }

    func linked() async throws {
        for room in [hers, his] { try await room.view.until { $0.members.count == 1 && $0.members[0].isHere } }
    }

    func close() async {
        await anna.close()
        await ben.close()
    }
}

extension RoomMember {
    var isHere: Bool {
        if case .here = presence { true } else { false }
    }
}
