import Observation
import Sidetone

/// The door to rooms: what is typed, and where one was.
@MainActor @Observable
public final class RoomsLogic: Logic {
    public var typed = ""
    public var name: String
    public private(set) var isBusy = false
    public private(set) var recent: [RecentRoom] = []
    public private(set) var room: RoomLogic?
    /// How the last room ended, unless we left it.
    public private(set) var end: Word?
    @ObservationIgnored private let client: Client

    init(_ client: Client) {
        (self.client, name) = (client, client.account.value?.name ?? "")
        super.init()
        follow(client.rooms.values) { [weak self] _ in await self?.readRecent() }
    }

    private var us: RoomGuest { RoomGuest(name: name, memory: .recent, adult: false) }

    public func open(_ speaking: Speaking) async {
        let usual = usualPolicy()
        let policy = RoomPolicy(
            scope: .code, routes: usual.routes, speaking: speaking, door: usual.door, audience: usual.audience,
            replay: usual.replay, members: usual.members, burstS: usual.burstS)
        await enter { try await client.createRoom(policy, as: us) }
    }

    /// Enters by what was typed: a link, or a code that was said aloud.
    public func join() async {
        let said = typed
        await enter { try await said.contains(":") ? client.joinLink(said, as: us) : client.joinCode(said, as: us) }
    }

    public func again(_ recent: RecentRoom) async { await enter { try await client.rejoin(recent.room) } }

    public func forget(_ recent: RecentRoom) async {
        await attempt { try await client.forgetRoom(recent.room) }
        await readRecent()
    }

    private func enter(_ how: @MainActor () async throws -> Room) async {
        (isBusy, end) = (true, nil)
        await attempt {
            let inside = RoomLogic(try await how())
            (room, typed) = (inside, "")
            Task { [weak self] in self?.left(inside, await inside.room.ended()) }
        }
        isBusy = false
    }

    private func left(_ inside: RoomLogic, _ end: RoomEnd?) {
        inside.close()
        if room === inside { (room, self.end) = (nil, end?.word) }
    }

    private func readRecent() async { await refresh { recent = try await client.recentRooms() } }
}

@MainActor @Observable
public final class RoomLogic: Logic {
    public private(set) var view: RoomView
    public private(set) var link: String?
    public private(set) var code: String?
    public private(set) var phrase: String?
    @ObservationIgnored public let room: Room

    init(_ room: Room) {
        self.room = room
        view = room.view.value
        super.init()
        follow(room.view.values) { [weak self] in await self?.show($0) }
        follow(room.events) { [weak self] in if $0 == .codeBurned { self?.code = nil } }
    }

    /// The button goes down, or up. From the framework's thread too, but for the notice.
    public func hold(_ down: Bool) async {
        await attempt { if down { try room.press() } else { try room.release() } }
    }

    public func openCode() async { await attempt { code = try await room.openCode() } }
    public func mute(_ muted: Bool) async { await attempt { try await room.setMicrophone(muted ? .off : .on) } }
    public func admit(_ member: MemberId) async { await attempt { try await room.admit(member) } }
    public func leave() async { await attempt { try await room.leave() } }

    /// How the floor stands, in words.
    public var words: Phrase {
        switch view.floor {
        case nil: Phrase(.openMicrophones)
        case .idle: Phrase(.floorIdle)
        case .taken(let member): Phrase(.floorTaken, .text(name(member)))
        case .requesting: Phrase(.floorRequesting)
        case .queued(let place): Phrase(.floorQueued, .number(UInt64(place)))
        case .speaking: Phrase(.floorSpeaking)
        case .reserved(let member): Phrase(.floorReserved, .text(name(member)))
        }
    }

    private func name(_ member: MemberId) -> String { view.members.first { $0.member == member }?.name ?? "" }

    private func show(_ now: RoomView) async {
        view = now
        await attempt {
            phrase = try await room.groupPhrase()
            if link == nil { link = try await room.link() }
        }
    }
}

extension RoomEnd {
    var word: Word? {
        switch self {
        case .left: nil
        case .closed: .roomEndClosed
        case .kicked, .banned: .roomEndOut
        case .unanswered, .lost: .roomEndLost
        }
    }
}

extension RoomMember {
    /// How they are heard, in a word.
    public var word: Word {
        switch presence {
        case .here(let route): route.word
        case .reaching: .memberReaching
        case .noWay: .memberNoWay
        case .heard: .memberHeard
        case .waiting: .memberWaiting
        }
    }
}
