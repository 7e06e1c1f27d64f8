#if os(iOS)
import AVFAudio
import CallKit
import Foundation
import Sidetone

/// Tells the system of calls with friends, and Sidetone of what the person does about them there, as a ``Switchboard`` decides. It
/// is made when the app starts, before there is a client: a push may have begun the app, and wants its call reported at once.
@MainActor
public final class Ringer: NSObject, CXProviderDelegate {
    private let provider: CXProvider
    private let controller = CXCallController()
    private let stranger: String
    private let choose: @MainActor (CallChoice, Call) async -> Void
    private let activate: @MainActor (Bool) -> Void
    private var board = Switchboard()
    private var calls: [CallId: Call] = [:]
    private var actions: [UUID: CXAction] = [:]
    private var pushes: [() -> Void] = []
    private var watch: [Task<Void, Never>] = []
    private var (alarm, alarmed): (Task<Void, Never>?, ContinuousClock.Instant?) = (nil, nil)

    /// `stranger` is shown while nobody knows who calls.
    public init(
        stranger: String, choose: @escaping @MainActor (CallChoice, Call) async -> Void, activate: @escaping @MainActor (Bool) -> Void
    ) {
        let configuration = CXProviderConfiguration()
        configuration.supportsVideo = true
        configuration.maximumCallsPerCallGroup = 1
        configuration.supportedHandleTypes = [.generic]
        provider = CXProvider(configuration: configuration)
        (self.stranger, self.choose, self.activate) = (stranger, choose, activate)
        super.init()
        provider.setDelegate(self, queue: .main)
    }

    deinit { (watch + [alarm].compactMap { $0 }).forEach { $0.cancel() } }

    /// Whether the system has a call of ours, and so the sound.
    public var isBusy: Bool { board.isBusy }

    /// Tells of the calls of this client from now on.
    public func follow(_ client: Client) {
        watch.forEach { $0.cancel() }
        watch = [
            Task { [weak self] in for await online in client.online.values { self?.hear { $0.online(online, at: $1) } } },
            Task { [weak self] in
                for await all in client.calls.values { for view in all { self?.attend(client.of(view), client) } }
            },
        ]
    }

    /// For `pushRegistry(_:didReceiveIncomingPushWith:for:completion:)`, before it returns.
    public func wake(_ completion: @escaping () -> Void) {
        pushes.append(completion)
        turn { $0.woken(by: UUID(), at: $1) }
    }

    private func attend(_ call: Call, _ client: Client) {
        guard calls.updateValue(call, forKey: call.id) == nil else { return }
        Task { [weak self] in
            for await view in call.view.values {
                let name = client.friends.value.first { $0.user == view.peer }?.name ?? ""
                self?.turn { board, _ in board.changed(view, name: name) }
            }
            self?.calls.removeValue(forKey: call.id)
        }
    }

    /// What orders nothing, but may change when something will.
    private func hear(_ news: (inout Switchboard, ContinuousClock.Instant) -> Void) {
        news(&board, .now)
        turn { _, _ in [] }
    }

    private func turn(_ step: (inout Switchboard, ContinuousClock.Instant) -> [Switchboard.Order]) {
        step(&board, .now).forEach(carryOut)
        guard board.deadline != alarmed else { return }
        alarm?.cancel()
        alarmed = board.deadline
        alarm = alarmed.map { deadline in
            Task { [weak self] in
                guard (try? await Task.sleep(until: deadline, clock: .continuous)) != nil else { return }
                self?.turn { $0.passed($1) }
            }
        }
    }

    private func carryOut(_ order: Switchboard.Order) {
        switch order {
        case .ring(let id, let name): ring(id, name)
        case .name(let id, let name): provider.reportCall(with: id, updated: update(name))
        case .place(let id, let name):
            request(CXStartCallAction(call: id, handle: CXHandle(type: .generic, value: name)))
        case .answer(let id): request(CXAnswerCallAction(call: id))
        case .connected(let id): provider.reportOutgoingCall(with: id, connectedAt: nil)
        case .end(let id, let ending): provider.reportCall(with: id, endedAt: nil, reason: ending.reason)
        case .choose(let choice, let call, let action):
            Task {
                if let call = calls[call] { await choose(choice, call) }
                if let action { actions.removeValue(forKey: action)?.fulfill() }
            }
        case .fulfil(let action): actions.removeValue(forKey: action)?.fulfill()
        case .fail(let action): actions.removeValue(forKey: action)?.fail()
        }
    }

    private func ring(_ id: UUID, _ name: String?) {
        let done = pushes
        pushes = []
        provider.reportNewIncomingCall(with: id, update: update(name)) { error in
            let isHidden = error.map { ($0 as? CXErrorCodeIncomingCallError)?.code != .callUUIDAlreadyExists } ?? false
            Task { @MainActor [weak self] in
                if isHidden { self?.hear { board, _ in board.hidden(id) } }
                done.forEach { $0() }
            }
        }
    }

    private func update(_ name: String?) -> CXCallUpdate {
        let (update, shown) = (CXCallUpdate(), name.flatMap { $0.isEmpty ? nil : $0 } ?? stranger)
        update.remoteHandle = CXHandle(type: .generic, value: shown)
        update.localizedCallerName = shown
        return update
    }

    private func request(_ action: CXAction) { controller.request(CXTransaction(action: action)) { _ in } }

    nonisolated public func providerDidReset(_ provider: CXProvider) {
        MainActor.assumeIsolated {
            actions = [:]
            turn { board, _ in board.reset() }
        }
    }

    nonisolated public func provider(_ provider: CXProvider, perform action: CXStartCallAction) { action.fulfill() }

    nonisolated public func provider(_ provider: CXProvider, perform action: CXAnswerCallAction) { perform(action, .answer) }

    nonisolated public func provider(_ provider: CXProvider, perform action: CXSetMutedCallAction) { perform(action, .mute(action.isMuted)) }

    nonisolated public func provider(_ provider: CXProvider, perform action: CXEndCallAction) { perform(action, .end) }

    nonisolated public func provider(_ provider: CXProvider, timedOutPerforming action: CXAction) {
        MainActor.assumeIsolated { _ = actions.removeValue(forKey: action.uuid) }
    }

    nonisolated public func provider(_ provider: CXProvider, didActivate session: AVAudioSession) {
        Task { @MainActor in activate(true) }
    }

    nonisolated public func provider(_ provider: CXProvider, didDeactivate session: AVAudioSession) {
        Task { @MainActor in activate(false) }
    }

    /// The provider calls on the main queue, where it was told to.
    nonisolated private func perform(_ action: CXCallAction, _ wish: Switchboard.Wish) {
        MainActor.assumeIsolated {
            actions[action.uuid] = action
            turn { board, _ in board.wished(wish, of: action.callUUID, by: action.uuid) }
        }
    }
}

extension Switchboard.Ending {
    var reason: CXCallEndedReason {
        switch self {
        case .failed: .failed
        case .remoteEnded: .remoteEnded
        case .unanswered: .unanswered
        }
    }
}
#endif
