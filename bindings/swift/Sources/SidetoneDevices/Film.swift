#if os(iOS)
import AVFoundation
import Sidetone
import SwiftUI

/// Pictures of calls: ours from the camera and the broadcast, theirs to the screen.
public final class Film: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate {
    private let client: Client
    private let queue = DispatchQueue(label: "film")
    fileprivate let capture = AVCaptureSession()
    private lazy var camera = Encoder(on: queue) { [client] in _ = client.video.push($0, from: .camera) }
    private lazy var screen = Airlock(group, on: queue, changed: shared) { [client] in _ = client.video.push($0, from: .screen) }
    private let group: String
    private let shared: @MainActor (Bool) -> Void
    private var tasks: [Task<Void, Never>] = []

    /// `group` is the app group that the app has with its broadcast; `shared` is called as a broadcast of the screen begins and ends.
    public init(_ client: Client, group: String, shared: @escaping @MainActor (Bool) -> Void) {
        (self.client, self.group, self.shared) = (client, group, shared)
        super.init()
        let video = client.video
        tasks = [
            Task { @MainActor in for await frame in video.frames { Projector.of(frame.info.source).show(frame) } },
            Task { [weak self] in for await rates in video.bitrates.values { self?.set(rates) } },
            Task { [weak self] in for await source in video.keyframes { self?.want(source) } },
        ]
    }

    deinit { tasks.forEach { $0.cancel() } }

    /// Opens and closes the camera.
    public func set(camera on: Bool) {
        queue.async { [self] in
            if on && capture.inputs.isEmpty { prepare() }
            if on == capture.isRunning { return }
            if on { capture.startRunning() } else { capture.stopRunning() }
        }
    }

    public func captureOutput(_ output: AVCaptureOutput, didOutput sample: CMSampleBuffer, from connection: AVCaptureConnection) {
        camera.encode(sample)
    }

    private func prepare() {
        guard let device = AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: .front),
            let input = try? AVCaptureDeviceInput(device: device)
        else { return }
        let output = AVCaptureVideoDataOutput()
        output.setSampleBufferDelegate(self, queue: queue)
        capture.beginConfiguration()
        capture.sessionPreset = .vga640x480
        capture.addInput(input)
        capture.addOutput(output)
        let connection = output.connection(with: .video)
        if #available(iOS 17.0, *) { connection?.videoRotationAngle = 90 } else { connection?.videoOrientation = .portrait }
        capture.commitConfiguration()
    }

    private func set(_ rates: [VideoSource: UInt64]) {
        queue.async { [self] in
            camera.bps = rates[.camera] ?? 0
            screen.set(bps: rates[.screen] ?? 0)
        }
    }

    private func want(_ source: VideoSource) {
        queue.async { [self] in if source == .camera { camera.wantsKey = true } else { screen.wantKey() } }
    }
}

extension Video {
    func push(_ picture: Picture, from source: VideoSource) -> PushedFrame {
        let info = FrameInfo(
            source: source, codec: .h264, key: picture.isKey, rotation: .none, layer: 0, width: picture.width,
            height: picture.height, capturedUs: picture.capturedUs)
        return picture.bytes.withUnsafeBytes { push(info, $0) }
    }
}

/// Where the other side's pictures are decoded and shown.
@MainActor
public final class Projector: UIView {
    private static let camera = Projector()
    private static let screen = Projector()
    private var format: CMVideoFormatDescription?

    public static func of(_ source: VideoSource) -> Projector { source == .camera ? camera : screen }

    public override class var layerClass: AnyClass { AVSampleBufferDisplayLayer.self }

    func show(_ frame: VideoFrame) {
        guard let display = layer as? AVSampleBufferDisplayLayer, frame.info.codec == .h264 else { return }
        display.videoGravity = .resizeAspect
        let (sets, picture) = H264.split(H264.units(frame.bytes))
        if sets.count >= 2 { format = Self.format(sets) }
        guard let sample = sample(picture) else { return }
        if display.status == .failed { display.flush() }
        display.enqueue(sample)
        let turns: [VideoRotation] = [.none, .quarter, .half, .threeQuarters]
        transform = CGAffineTransform(rotationAngle: CGFloat(turns.firstIndex(of: frame.info.rotation) ?? 0) * .pi / 2)
    }

    private static func format(_ sets: [Data]) -> CMVideoFormatDescription? {
        var format: CMVideoFormatDescription?
        let copies = sets.map { [UInt8]($0) }
        copies[0].withUnsafeBufferPointer { first in
            copies[1].withUnsafeBufferPointer { second in
                guard let one = first.baseAddress, let other = second.baseAddress else { return }
                _ = CMVideoFormatDescriptionCreateFromH264ParameterSets(
                    allocator: nil, parameterSetCount: 2, parameterSetPointers: [one, other],
                    parameterSetSizes: [first.count, second.count], nalUnitHeaderLength: 4, formatDescriptionOut: &format)
            }
        }
        return format
    }

    private func sample(_ picture: Data) -> CMSampleBuffer? {
        var (block, sample, size): (CMBlockBuffer?, CMSampleBuffer?, Int) = (nil, nil, picture.count)
        CMBlockBufferCreateWithMemoryBlock(
            allocator: nil, memoryBlock: nil, blockLength: size, blockAllocator: nil, customBlockSource: nil, offsetToData: 0,
            dataLength: size, flags: kCMBlockBufferAssureMemoryNowFlag, blockBufferOut: &block)
        guard let block, let format else { return nil }
        picture.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            _ = CMBlockBufferReplaceDataBytes(with: start, blockBuffer: block, offsetIntoDestination: 0, dataLength: size)
        }
        CMSampleBufferCreateReady(
            allocator: nil, dataBuffer: block, formatDescription: format, sampleCount: 1, sampleTimingEntryCount: 0,
            sampleTimingArray: nil, sampleSizeEntryCount: 1, sampleSizeArray: &size, sampleBufferOut: &sample)
        if let sample, let notes = CMSampleBufferGetSampleAttachmentsArray(sample, createIfNecessary: true) {
            // The library gives each picture when its time has come.
            let first = unsafeBitCast(CFArrayGetValueAtIndex(notes, 0), to: CFMutableDictionary.self)
            CFDictionarySetValue(
                first, Unmanaged.passUnretained(kCMSampleAttachmentKey_DisplayImmediately).toOpaque(),
                Unmanaged.passUnretained(kCFBooleanTrue).toOpaque())
        }
        return sample
    }
}

/// Where the user sees what their camera sees.
public struct Mirror: UIViewRepresentable {
    private let film: Film

    public init(_ film: Film) { self.film = film }

    public func makeUIView(context: Context) -> Glass { Glass(film.capture) }

    public func updateUIView(_ view: Glass, context: Context) {}

    public final class Glass: UIView {
        init(_ session: AVCaptureSession) {
            super.init(frame: .zero)
            guard let preview = layer as? AVCaptureVideoPreviewLayer else { return }
            (preview.session, preview.videoGravity) = (session, .resizeAspectFill)
        }

        @available(*, unavailable) required init?(coder: NSCoder) { nil }

        public override class var layerClass: AnyClass { AVCaptureVideoPreviewLayer.self }
    }
}

/// What the other side shows.
public struct Pictures: View {
    private let shows: Shows

    public init(_ shows: Shows) { self.shows = shows }

    public var body: some View {
        if shows.screen != nil { Stage(source: .screen) }
        if shows.camera { Stage(source: .camera) }
    }

    private struct Stage: UIViewRepresentable {
        let source: VideoSource

        func makeUIView(context: Context) -> Projector { Projector.of(source) }

        func updateUIView(_ view: Projector, context: Context) {}
    }
}
#endif
