import Observation
import Sidetone

/// The door to rooms: what is typed, and where one was.
@MainActor @Observable
public final class RoomsLogic: Logic {
    public var typed = ""
    /// What a new room is called, if anything.
    public var name = ""
    public private(set) var isBusy = false
    public private(set) var recent: [RecentRoom] = []
    public private(set) var room: RoomLogic?
    /// How the last room ended, unless we left it.
    public private(set) var end: Word?
    @ObservationIgnored private let client: Client
    @ObservationIgnored private let device: any Device

    init(_ client: Client, _ device: any Device) {
        (self.client, self.device) = (client, device)
        super.init()
        follow(client.rooms.values) { [weak self] _ in await self?.readRecent() }
    }

    private var us: RoomGuest { RoomGuest(name: client.account.value?.name ?? "", memory: .recent, adult: false) }

    public func open(_ speaking: Speaking) async {
        let usual = usualPolicy()
        let policy = RoomPolicy(
            scope: .code, routes: usual.routes, speaking: speaking, door: usual.door, audience: usual.audience,
            replay: usual.replay, members: usual.members, burstS: usual.burstS)
        await enter { try await client.createRoom(policy, as: us, name: name.isEmpty ? nil : name) }
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
            let inside = RoomLogic(try await how(), device)
            (room, typed, name) = (inside, "", "")
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
    /// What somebody wrote or showed; nobody keeps it.
    public private(set) var said: [Said] = []
    public private(set) var missed: [Missed] = []
    public var draft = ""
    /// Why the floor was not given.
    public private(set) var refused: Word?
    /// Seconds until somebody else may speak.
    public private(set) var endingS: UInt64 = 0
    /// Who asks us to be quiet.
    public private(set) var muteAsked: MemberId?
    @ObservationIgnored public let room: Room
    @ObservationIgnored private var isHeld = false
    @ObservationIgnored private let device: any Device

    init(_ room: Room, _ device: any Device) {
        (self.room, self.device) = (room, device)
        view = room.view.value
        super.init()
        follow(room.view.values) { [weak self] in await self?.show($0) }
        follow(room.events) { [weak self] in self?.note($0) }
        every(.seconds(1)) { [weak self] in self?.endingS -= self?.endingS == 0 ? 0 : 1 }
    }

    /// The button goes down, or up: we speak as soon as nobody else does.
    public func hold(_ down: Bool) async {
        (refused, isHeld) = (nil, down)
        if down {
            // Who is asked for the microphone may have let go meanwhile.
            await with(.microphone, of: device) { if isHeld { try room.press() } }
        } else {
            await attempt { try room.release() }
        }
    }

    public func openCode() async { await attempt { code = try await room.openCode() } }
    public func mute(_ muted: Bool) async {
        muteAsked = nil
        await attempt { try await room.setMicrophone(muted ? .off : .on) }
    }
    public func raiseHand(_ raised: Bool) async { await attempt { try await room.raiseHand(raised) } }
    public func kick(_ member: MemberId) async { await attempt { try await room.kick(member) } }
    public func replay(_ one: Missed) async {
        await attempt {
            try await room.replay(one.burst, of: one.member)
            missed.removeAll { $0 == one }
        }
    }

    public func say() async {
        let text = draft
        await attempt {
            try await room.say(text)
            said.append(Said(member: view.us, text: text))
            draft = ""
        }
    }
    public func admit(_ member: MemberId) async { await attempt { try await room.admit(member) } }
    public func leave() async { await attempt { try await room.leave() } }

    /// How the floor stands, in words.
    public var words: Phrase {
        switch view.floor {
        case nil: Phrase(.openMicrophones)
        case .idle: Phrase(.floorIdle)
        case .taken(let member): Phrase(.floorTaken, .text(speaker(member)))
        case .requesting: Phrase(.floorRequesting)
        case .queued(let place): Phrase(.floorQueued, .number(UInt64(place)))
        case .speaking: Phrase(.floorSpeaking)
        case .reserved(let member): Phrase(.floorReserved, .text(speaker(member)))
        }
    }

    private func speaker(_ member: MemberId) -> String { view.members.first { $0.member == member }?.name ?? "" }

    /// Whether somebody has the floor.
    public func speaks(_ member: RoomMember) -> Bool { view.floor == .taken(member: member.member) }

    public func name(_ member: MemberId) -> Phrase {
        if member == view.us { return Phrase(.you) }
        return view.members.first { $0.member == member }.map { Phrase(.plain, .text($0.name)) } ?? Phrase(.somebody)
    }

    private func note(_ event: RoomEvent) {
        switch event {
        case .text(let member, let text): said = (said + [Said(member: member, text: text)]).suffix(50)
        case .reaction(let member, let emoji): said = (said + [Said(member: member, text: emoji)]).suffix(50)
        case .missed(let member, let burst): missed = (missed + [Missed(member: member, burst: burst)]).suffix(50)
        case .floorDenied(let reason): refused = reason.word
        case .floorEnding(let remainingMs): endingS = (remainingMs + 999) / 1_000
        case .floorReleased, .floorTimedOut: endingS = 0
        case .muteAsked(let member): muteAsked = member
        case .codeBurned: code = nil
        default: break
        }
    }

    private func show(_ now: RoomView) async {
        view = now
        await attempt {
            phrase = try await room.groupPhrase()
            if link == nil { link = try await room.link() }
        }
    }
}

/// A text or sign that somebody gave in a room.
public struct Said: Hashable, Sendable {
    public let member: MemberId
    public let text: String
}

/// Something said while we were not there, which its speaker still has.
public struct Missed: Hashable, Sendable {
    public let member: MemberId
    public let burst: UInt32
}

extension FloorRefusal {
    var word: Word {
        switch self {
        case .collision: .floorCollision
        case .queueFull: .floorQueueFull
        case .unanswered: .floorUnanswered
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
