import ReplayKit
import SidetoneDevices

/// Encodes the screen in the broadcast's own process, which has little memory, and hands the pictures to the app.
final class SampleHandler: RPBroadcastSampleHandler {
    private let queue = DispatchQueue(label: "screen")
    private var door: AirlockDoor?
    private lazy var encoder = Encoder(on: queue) { [weak self] in self?.door?.send($0) }

    override func broadcastStarted(withSetupInfo setupInfo: [String: NSObject]?) {
        door = AirlockDoor("group.org.sidetone.sample", on: queue) { [weak self] order in
            if order == .max { self?.encoder.wantsKey = true } else { self?.encoder.bps = order }
        }
    }

    override func broadcastFinished() { door?.close() }

    override func processSampleBuffer(_ sample: CMSampleBuffer, with type: RPSampleBufferType) {
        guard type == .video else { return }
        queue.sync { encoder.encode(sample) }
    }
}
