import CallKit
import PushKit
import SampleLogic
import Sidetone

/// Wakes the app for a call while it sleeps. PushKit wants a call told to CallKit at once: one of somebody, which is over as soon
/// as the call that waits rings by itself, or after ten seconds if none does.
@MainActor
final class Waker: NSObject, PKPushRegistryDelegate, CXProviderDelegate {
    private let registry = PKPushRegistry(queue: .main)
    private let provider = CXProvider(configuration: CXProviderConfiguration())
    private let sample: Sample

    init(_ sample: Sample) {
        self.sample = sample
        super.init()
        provider.setDelegate(self, queue: .main)
        registry.delegate = self
        registry.desiredPushTypes = [.voIP]
    }

    nonisolated func pushRegistry(_ registry: PKPushRegistry, didUpdate credentials: PKPushCredentials, for type: PKPushType) {
        let token = credentials.token.map { String(format: "%02x", $0) }.joined()
        Task { @MainActor in sample.reach = .apple(token: token) }
    }

    nonisolated func pushRegistry(_ registry: PKPushRegistry, didInvalidatePushTokenFor type: PKPushType) {
        Task { @MainActor in sample.reach = nil }
    }

    nonisolated func pushRegistry(
        _ registry: PKPushRegistry, didReceiveIncomingPushWith payload: PKPushPayload, for type: PKPushType,
        completion: @escaping () -> Void
    ) {
        MainActor.assumeIsolated {
            let (id, update) = (UUID(), CXCallUpdate())
            update.localizedCallerName = Word.somebody.text
            provider.reportNewIncomingCall(with: id, update: update) { _ in completion() }
            go { [sample, provider] in
                await sample.wake()
                provider.reportCall(with: id, endedAt: nil, reason: .answeredElsewhere)
            }
        }
    }

    nonisolated func providerDidReset(_ provider: CXProvider) {}
}
