/// One room, from entering to leaving it.
public final class Room: Sendable {
    private let stay: Stay
    private let client: Client

    /// Which.
    public let id: RoomId

    init(_ stay: Stay, client: Client) {
        id = stay.view.value.room
        (self.stay, self.client) = (stay, client)
    }

    /// How it stands: who is there, who speaks. Stays as it was last when it is over.
    public var view: Latest<RoomView> { stay.view }

    /// The others, as of now.
    public var members: [RoomMember] { stay.view.value.members }

    /// How the floor stands now; nil in a room of open microphones.
    public var floor: Floor? { stay.view.value.floor }

    /// Where the pictures go in and out.
    public var video: RoomVideo { RoomVideo(room: id, stay: stay, client: client) }

    /// What happens here, in order, from now on. Who follows too slowly misses the oldest; `view` never lies.
    public var events: AsyncStream<RoomEvent> {
        client.told.stream { [id] in if case .room(id, let event) = $0 { event } else { nil } }
    }

    /// The button is held down: we speak as soon as nobody else does. From any thread; it never waits.
    public func press(_ priority: FloorPriority = .normal) throws { try client.raw.press(room: id, priority: priority) }

    /// The button is let go. From any thread; it never waits.
    public func release() throws { try client.raw.release(room: id) }

    /// Leaves, and returns when we are out of it.
    public func leave() async throws {
        try await client.raw.leaveRoom(room: id)
        _ = await ended()
    }

    /// The link that lets others in, also as a QR code: whoever has it can enter.
    public func link() async throws -> String { try await client.raw.roomLink(room: id) }

    /// A code that lets others in when it is said aloud, for ten minutes; for the creator.
    public func openCode() async throws -> String { try await client.raw.openCode(room: id) }

    /// Six words that are the same for everybody who sees the same people here.
    public func groupPhrase() async throws -> String? { try await client.raw.groupPhrase(room: id) }

    /// Says something to everybody who is there; nobody keeps it.
    public func say(_ text: String) async throws { try await client.raw.sayInRoom(room: id, text: text) }

    /// Reacts, with one sign or a few.
    public func react(_ emoji: String) async throws { try await client.raw.reactInRoom(room: id, emoji: emoji) }

    /// Raises or lowers our hand.
    public func raiseHand(_ raised: Bool) async throws { try await client.raw.raiseHand(room: id, raised: raised) }

    /// Lets the others hear us, or not, in a room of open microphones.
    public func setMicrophone(_ state: MicrophoneState) async throws {
        try await client.raw.setRoomMicrophone(room: id, state: state)
    }

    /// Shows everybody pictures, or no longer; frames are taken once `RoomVideo.bitrates` says how much.
    public func show(_ shows: Shows) async throws { try await client.raw.showInRoom(room: id, shows: shows) }

    /// Tells a member how large its pictures are of use here, in lines; 0 for none at all.
    public func want(from member: MemberId, camera: UInt16 = .max, screen: UInt16 = .max) async throws {
        try await client.raw.wantInRoom(room: id, member: member, wants: Wants(camera: camera, screen: screen))
    }

    /// The sixty digits that two members compare; nil for who is not there, or not linked yet.
    public func safetyNumber(with member: MemberId) async throws -> String? {
        try await client.raw.memberSafetyNumber(room: id, member: member)
    }

    /// Plays a burst that was missed, where the room allows it.
    public func replay(_ burst: UInt32, of member: MemberId) async throws {
        try await client.raw.replay(room: id, member: member, burst: burst)
    }

    /// Notes that people compared words with a member, or that it no longer counts.
    public func setVerified(_ member: MemberId, _ verified: Bool) async throws {
        try await client.raw.markMember(room: id, member: member, verified: verified)
    }

    /// Asks a member to mute its microphone; it is told who asks, and decides.
    public func askToMute(_ member: MemberId) async throws {
        try await client.raw.askToMute(room: id, member: member)
    }

    /// Lets in somebody who knocks; for the creator.
    public func admit(_ member: MemberId) async throws { try await client.raw.admit(room: id, member: member) }

    /// Puts a member out, who may enter anew; for the creator.
    public func kick(_ member: MemberId) async throws { try await client.raw.kick(room: id, member: member) }

    /// Puts a member out for good; for the creator.
    public func ban(_ member: MemberId) async throws { try await client.raw.ban(room: id, member: member) }

    /// Lets nobody new in, or lets people in again; for the creator.
    public func lock(_ locked: Bool) async throws { try await client.raw.lockRoom(room: id, locked: locked) }

    /// Ends it for everybody; for the creator.
    public func close() async throws { try await client.raw.closeRoom(room: id) }

    /// Waits for the end; nothing if the task is cancelled before.
    public func ended() async -> RoomEnd? {
        for await end in stay.end.values {
            if let end { return end }
        }
        return nil
    }
}

/// What is known of a room that we are in.
final class Stay: Sendable {
    let view: Latest<RoomView>
    let end = Latest<RoomEnd?>(nil)
    let rates = Rates()

    init(_ view: RoomView) {
        self.view = Latest(view)
    }

    func changed(_ now: RoomView) {
        view.set(now)
        rates.shown(now.shows)
    }

    /// We are out of it; the first word counts.
    func over(_ reason: RoomEnd) {
        end.set(reason)
        end.finish()
        view.finish()
        rates.shown(nil)
        rates.now.finish()
    }
}
