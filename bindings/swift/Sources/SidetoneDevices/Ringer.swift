#if os(iOS)
import CallKit
import Sidetone

/// Tells the system of calls with friends, and Sidetone of what the person does about them there.
@MainActor
public final class Ringer: NSObject, CXProviderDelegate {
    private let provider: CXProvider
    private let controller = CXCallController()
    private let client: Client
    private let choose: @MainActor (CallChoice) async -> Void
    private let activate: @MainActor (Bool) -> Void
    private var watch: Task<Void, Never>?
    /// The call that the system knows.
    public private(set) var call: Call?

    public init(
        _ client: Client, choose: @escaping @MainActor (CallChoice) async -> Void, activate: @escaping @MainActor (Bool) -> Void
    ) {
        let configuration = CXProviderConfiguration()
        configuration.supportsVideo = true
        configuration.maximumCallsPerCallGroup = 1
        configuration.supportedHandleTypes = [.generic]
        provider = CXProvider(configuration: configuration)
        (self.client, self.choose, self.activate) = (client, choose, activate)
        super.init()
        provider.setDelegate(self, queue: .main)
        watch = Task { [weak self, client] in
            for await all in client.calls.values {
                for view in all where view.call != self?.call?.id { self?.begin(client.of(view)) }
            }
        }
    }

    deinit { watch?.cancel() }

    private func begin(_ new: Call) {
        call = new
        Task {
            let (id, name) = (UUID(new.id.hex), (try? await client.friend(new.peer))?.name ?? "")
            let handle = CXHandle(type: .generic, value: name)
            switch new.direction {
            case .incoming:
                let update = CXCallUpdate()
                update.remoteHandle = handle
                try? await provider.reportNewIncomingCall(with: id, update: update)
            case .outgoing:
                try? await controller.request(CXTransaction(action: CXStartCallAction(call: id, handle: handle)))
                if (try? await new.connected()) == true { provider.reportOutgoingCall(with: id, connectedAt: nil) }
            }
            _ = await new.ended()
            provider.reportCall(with: id, endedAt: nil, reason: .remoteEnded)
            if call === new { call = nil }
        }
    }

    nonisolated public func providerDidReset(_ provider: CXProvider) {}

    nonisolated public func provider(_ provider: CXProvider, perform action: CXStartCallAction) { action.fulfill() }

    nonisolated public func provider(_ provider: CXProvider, perform action: CXAnswerCallAction) { perform(action, .answer) }

    nonisolated public func provider(_ provider: CXProvider, perform action: CXSetMutedCallAction) { perform(action, .microphone) }

    nonisolated public func provider(_ provider: CXProvider, perform action: CXEndCallAction) { perform(action, .decline, .hangUp) }

    nonisolated public func provider(_ provider: CXProvider, didActivate session: AVAudioSession) {
        Task { @MainActor in activate(true) }
    }

    nonisolated public func provider(_ provider: CXProvider, didDeactivate session: AVAudioSession) {
        Task { @MainActor in activate(false) }
    }

    /// Chooses the first of these that the call offers.
    nonisolated private func perform(_ action: CXCallAction, _ choices: CallChoice...) {
        Task { @MainActor in
            if let choice = call?.view.value.choices.first(where: choices.contains) { await choose(choice) }
            action.fulfill()
        }
    }
}

extension UUID {
    /// The sixteen bytes of one of Sidetone's ids.
    init(_ hex: String) {
        let digits = Array(hex)
        let groups = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0.clamped(to: 0..<digits.count)]) }
        self = UUID(uuidString: groups.joined(separator: "-")) ?? UUID()
    }
}
#endif
