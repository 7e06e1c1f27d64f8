#if os(iOS)
import CoreMedia
import Foundation
import VideoToolbox

/// A picture as a call carries it.
public struct Picture {
    public let bytes: Data
    public let isKey: Bool
    public let width: UInt16
    public let height: UInt16
    public let capturedUs: UInt64
}

/// H.264 by VideoToolbox. For one queue, on which `give` is called too.
public final class Encoder {
    private var session: VTCompressionSession?
    private var size = CMVideoDimensions()
    private let queue: DispatchQueue
    private let give: (Picture) -> Void
    /// The next picture must be a key frame.
    public var wantsKey = true
    /// Bits a second; 0 rests.
    public var bps: UInt64 = 0 { didSet { setRate() } }

    public init(on queue: DispatchQueue, give: @escaping (Picture) -> Void) { (self.queue, self.give) = (queue, give) }

    deinit { if let session { VTCompressionSessionInvalidate(session) } }

    public func encode(_ sample: CMSampleBuffer) {
        guard bps > 0, let image = CMSampleBufferGetImageBuffer(sample) else { return }
        let now = CMVideoDimensions(width: Int32(CVPixelBufferGetWidth(image)), height: Int32(CVPixelBufferGetHeight(image)))
        if now.width != size.width || now.height != size.height { open(now) }
        guard let session else { return }
        let options = wantsKey ? [kVTEncodeFrameOptionKey_ForceKeyFrame: true] as CFDictionary : nil
        wantsKey = false
        let time = CMSampleBufferGetPresentationTimeStamp(sample)
        VTCompressionSessionEncodeFrame(
            session, imageBuffer: image, presentationTimeStamp: time, duration: .invalid, frameProperties: options,
            infoFlagsOut: nil
        ) { [weak self] status, _, encoded in
            guard status == noErr, let encoded else { return }
            self?.queue.async { self?.out(encoded, now) }
        }
    }

    private func open(_ now: CMVideoDimensions) {
        if let session { VTCompressionSessionInvalidate(session) }
        (size, session, wantsKey) = (now, nil, true)
        VTCompressionSessionCreate(
            allocator: nil, width: now.width, height: now.height, codecType: kCMVideoCodecType_H264,
            encoderSpecification: nil, imageBufferAttributes: nil, compressedDataAllocator: nil, outputCallback: nil, refcon: nil,
            compressionSessionOut: &session)
        guard let session else { return }
        VTSessionSetProperty(session, key: kVTCompressionPropertyKey_RealTime, value: kCFBooleanTrue)
        VTSessionSetProperty(session, key: kVTCompressionPropertyKey_AllowFrameReordering, value: kCFBooleanFalse)
        VTSessionSetProperty(
            session, key: kVTCompressionPropertyKey_ProfileLevel, value: kVTProfileLevel_H264_Baseline_AutoLevel)
        setRate()
    }

    private func setRate() {
        guard let session, bps > 0 else { return }
        VTSessionSetProperty(session, key: kVTCompressionPropertyKey_AverageBitRate, value: NSNumber(value: bps))
    }

    private func out(_ sample: CMSampleBuffer, _ size: CMVideoDimensions) {
        let notes = CMSampleBufferGetSampleAttachmentsArray(sample, createIfNecessary: false) as? [[CFString: Any]]
        let isKey = notes?.first?[kCMSampleAttachmentKey_NotSync] as? Bool != true
        guard let block = CMSampleBufferGetDataBuffer(sample), let bytes = try? block.dataBytes() else { return }
        let time = CMTimeConvertScale(
            CMSampleBufferGetPresentationTimeStamp(sample), timescale: 1_000_000, method: .default)
        give(
            Picture(
                bytes: H264.annexB(bytes, after: isKey ? sets(sample) : []), isKey: isKey, width: UInt16(clamping: size.width),
                height: UInt16(clamping: size.height), capturedUs: UInt64(clamping: time.value)))
    }

    private func sets(_ sample: CMSampleBuffer) -> [Data] {
        guard let format = CMSampleBufferGetFormatDescription(sample) else { return [] }
        return (0..<2).compactMap { index in
            var (start, length): (UnsafePointer<UInt8>?, Int) = (nil, 0)
            let status = CMVideoFormatDescriptionGetH264ParameterSetAtIndex(
                format, parameterSetIndex: index, parameterSetPointerOut: &start, parameterSetSizeOut: &length,
                parameterSetCountOut: nil, nalUnitHeaderLengthOut: nil)
            return status == noErr ? start.map { Data(bytes: $0, count: length) } : nil
        }
    }
}
#endif
