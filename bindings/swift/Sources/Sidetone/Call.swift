/// One call, from its first ring to its end.
public final class Call: Sendable {
    private let latest: Latest<CallView>
    private let client: Client

    /// Which.
    public let id: CallId
    /// With whom.
    public let peer: UserId
    /// Who called.
    public let direction: CallDirection

    init(_ latest: Latest<CallView>, client: Client) {
        let first = latest.value
        (id, peer, direction) = (first.call, first.peer, first.direction)
        (self.latest, self.client) = (latest, client)
    }

    /// How it stands; ends with `CallState.ended`.
    public var view: Latest<CallView> { latest }

    /// How it stands now.
    public var state: CallState { latest.value.state }

    /// Takes the call.
    public func answer() async throws { try await client.raw.answer(call: id) }

    /// Declines the call.
    public func decline() async throws { try await client.raw.declineCall(call: id) }

    /// Ends the call, or gives up calling.
    public func hangUp() async throws { try await client.raw.hangUp(call: id) }

    /// Lets the other side hear us, or not.
    public func setMicrophone(_ state: MicrophoneState) async throws {
        try await client.raw.setMicrophone(call: id, state: state)
    }

    /// Shows the camera, or no longer; frames are taken once `Video.bitrates` says how much.
    public func setCamera(_ on: Bool) async throws { try await client.raw.showCamera(call: id, on: on) }

    /// Shares the screen, with what is on it, or no longer: nil.
    public func setScreenShare(_ content: ScreenContent?) async throws {
        try await client.raw.showScreen(call: id, screen: content)
    }

    /// Tells the other side how large its pictures are of use here, in lines; 0 for none at all.
    public func want(camera: UInt16 = .max, screen: UInt16 = .max) async throws {
        try await client.raw.want(call: id, wants: Wants(camera: camera, screen: screen))
    }

    /// Waits until both can speak; false if the call ended before. A task that is cancelled meanwhile hangs up.
    public func connected() async throws -> Bool {
        try await withTaskCancellationHandler {
            for await view in latest.values {
                if view.state == .connected { return true }
                if view.state.isOver { return false }
            }
            try Task.checkCancellation()
            return false
        } onCancel: { [client, id] in
            // It may be over already, which is as well.
            Task.detached { try? await client.raw.hangUp(call: id) }
        }
    }

    /// Waits for the end; nothing if the client is closed or the task cancelled before.
    public func ended() async -> CallEnd? {
        for await view in latest.values {
            if case .ended(let reason) = view.state { return reason }
        }
        return nil
    }
}

extension CallState {
    /// Whether the call is over.
    public var isOver: Bool {
        if case .ended = self { true } else { false }
    }
}

extension CallView {
    var over: CallView {
        CallView(
            call: call, peer: peer, direction: direction, state: .ended(reason: .hungUp), route: nil,
            microphone: microphone, theirMicrophone: theirMicrophone, shows: shows, theirShows: theirShows,
            theirWants: theirWants, connectedMs: connectedMs)
    }

    static func gone(_ call: CallId, _ peer: UserId) -> CallView {
        CallView(
            call: call, peer: peer, direction: .outgoing, state: .ended(reason: .unreachable), route: nil, microphone: .off,
            theirMicrophone: .off, shows: Shows(camera: false, screen: nil), theirShows: Shows(camera: false, screen: nil),
            theirWants: Wants(camera: .max, screen: .max))
    }
}
