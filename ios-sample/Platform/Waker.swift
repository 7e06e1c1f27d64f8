import PushKit
import SampleLogic
import Sidetone
import SidetoneDevices

/// Wakes the app for a call while it sleeps: the call rings at once, and whose it is shows when the app knows.
@MainActor
final class Waker: NSObject, PKPushRegistryDelegate {
    private let registry = PKPushRegistry(queue: .main)
    private let sample: Sample
    private let ringer: Ringer

    init(_ sample: Sample, _ ringer: Ringer) {
        (self.sample, self.ringer) = (sample, ringer)
        super.init()
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
            ringer.wake(completion)
            go { [sample] in await sample.wake() }
        }
    }
}
