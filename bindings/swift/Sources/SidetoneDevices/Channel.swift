#if os(iOS)
import AVFAudio
import PushToTalk
import Sidetone

/// Shows a room of push-to-talk to the system: its button in the status bar and on the lock screen, headsets with a button.
/// The server wakes nobody by push: the channel lives as long as the app's process does.
@MainActor
public final class Channel: NSObject, PTChannelManagerDelegate, PTChannelRestorationDelegate {
    private let client: Client
    private let activate: @MainActor (Bool) -> Void
    private var manager: PTChannelManager?
    private var watch: Task<Void, Never>?
    private var room: Room?

    public init(_ client: Client, activate: @escaping @MainActor (Bool) -> Void) {
        (self.client, self.activate) = (client, activate)
        super.init()
        watch = Task { [weak self, client] in
            guard let self else { return }
            manager = try? await PTChannelManager.channelManager(delegate: self, restorationDelegate: self)
            for await all in client.rooms.values { await show(all.first { $0.floor != nil }) }
        }
    }

    deinit { watch?.cancel() }

    /// Whether the system owns the sound.
    public var isJoined: Bool { room != nil && manager?.activeChannelUUID != nil }

    private func show(_ view: RoomView?) async {
        if let room, room.id != view?.room {
            manager?.leaveChannel(channelUUID: UUID(room.id.hex))
            self.room = nil
        }
        guard let view, let manager else { return }
        let id = UUID(view.room.hex)
        if room == nil {
            room = client.of(view)
            manager.requestJoinChannel(channelUUID: id, descriptor: PTChannelDescriptor(name: view.name ?? "Sidetone", image: nil))
        }
        // Who speaks, for the system to show; while nobody does, nobody.
        var speaker: PTParticipant?
        if case .taken(let member) = view.floor, let name = view.members.first(where: { $0.member == member })?.name {
            speaker = PTParticipant(name: name, image: nil)
        }
        try? await manager.setActiveRemoteParticipant(speaker, channelUUID: id)
    }

    nonisolated public func channelManager(_ manager: PTChannelManager, didJoinChannel id: UUID, reason: PTChannelJoinReason) {}

    nonisolated public func channelManager(_ manager: PTChannelManager, didLeaveChannel id: UUID, reason: PTChannelLeaveReason) {
        Task { @MainActor in try? await room?.leave() }
    }

    nonisolated public func channelManager(
        _ manager: PTChannelManager, channelUUID: UUID, didBeginTransmittingFrom source: PTChannelTransmitRequestSource
    ) {
        Task { @MainActor in try? room?.press() }
    }

    nonisolated public func channelManager(
        _ manager: PTChannelManager, channelUUID: UUID, didEndTransmittingFrom source: PTChannelTransmitRequestSource
    ) {
        Task { @MainActor in try? room?.release() }
    }

    nonisolated public func channelManager(_ manager: PTChannelManager, receivedEphemeralPushToken token: Data) {}

    nonisolated public func incomingPushResult(
        channelManager: PTChannelManager, channelUUID: UUID, pushPayload: [String: Any]
    ) -> PTPushResult { .leaveChannel }

    nonisolated public func channelManager(_ manager: PTChannelManager, didActivate session: AVAudioSession) {
        Task { @MainActor in activate(true) }
    }

    nonisolated public func channelManager(_ manager: PTChannelManager, didDeactivate session: AVAudioSession) {
        Task { @MainActor in activate(false) }
    }

    nonisolated public func channelDescriptor(restoredChannelUUID: UUID) -> PTChannelDescriptor {
        PTChannelDescriptor(name: "Sidetone", image: nil)
    }
}
#endif
