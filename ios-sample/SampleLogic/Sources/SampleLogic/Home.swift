import Observation
import Sidetone

/// The four pages.
public enum Tab: Hashable, CaseIterable, Sendable { case friends, rooms, strangers, settings }

/// Who is signed in: what is behind the pages, and the call.
@MainActor @Observable
public final class Home: Logic {
    public var tab = Tab.friends
    public private(set) var isOnline = true
    public private(set) var unread = 0
    /// The call that is on, or was until its last word is read.
    public private(set) var call: CallLogic?
    /// Whether the call is only a bar at the top.
    public var isCallSmall = false
    public let friends: FriendsLogic
    public let rooms: RoomsLogic
    public let strangers: StrangersLogic
    public let settings: SettingsLogic
    @ObservationIgnored private let client: Client
    @ObservationIgnored private let device: any Device

    init(_ client: Client, _ device: any Device, _ memory: Memory, _ reach: PushAddress?) {
        (self.client, self.device) = (client, device)
        friends = FriendsLogic(client)
        rooms = RoomsLogic(client, device)
        strangers = StrangersLogic(client, device, memory)
        settings = SettingsLogic(client, memory, reach)
        super.init()
        follow(client.online.values) { [weak self] in self?.isOnline = $0 }
        follow(client.friends.values) { [weak self] in self?.unread = $0.reduce(0) { $0 + Int($1.unread) } }
        follow(client.calls.values) { [weak self] all in all.forEach { self?.show(client.of($0)) } }
    }

    public func chat(with peer: UserId) -> ChatLogic { ChatLogic(client, device, peer) }

    public func verify(_ peer: UserId) -> VerifyLogic { VerifyLogic(client, peer) }

    /// Calls a friend, once the microphone is allowed.
    public func call(_ peer: UserId) async {
        await with(.microphone, of: device) { show(try await client.call(peer)) }
    }

    /// A link was followed: what it says stands in its field, and the person decides.
    public func open(_ link: String) {
        let isFriend = Invitation.isOne(link)
        tab = isFriend ? .friends : .rooms
        if isFriend { (friends.typed, friends.isAdding) = (link, true) } else { rooms.typed = link }
    }

    /// Does what was chosen about the call, once what it needs is allowed.
    public func choose(_ choice: CallChoice) async {
        guard let call else { return }
        switch choice {
        case .answer: await with(.microphone, of: device) { try await call.choose(choice) }
        case .camera: await with(.camera, of: device) { try await call.choose(choice) }
        default: await attempt { try await call.choose(choice) }
        }
    }

    /// The same about a call that may be newer than what is shown.
    func choose(_ choice: CallChoice, of new: Call) async {
        show(new)
        await choose(choice)
    }

    /// A broadcast of the screen began or ended.
    public func share(_ on: Bool) async {
        if let call, (call.view.shows.screen != nil) != on { await choose(.screen) }
    }

    /// The last word about a call was read.
    public func forgetCall() {
        call?.close()
        call = nil
    }

    public override func close() {
        forgetCall()
        for logic in [friends, rooms, strangers, settings] { logic.close() }
        super.close()
    }

    private func show(_ new: Call) {
        guard call?.call.id != new.id else { return }
        forgetCall()
        (call, isCallSmall) = (CallLogic(client, device, new), false)
    }
}
