import Foundation
import sidetoneFFI

/// Where the pictures of the call that is on go in and out, encoded: the app's encoder hands frames in, its decoder takes
/// them. Nothing looks into them on the way; they are sealed with what is known of them.
public struct Video: Sendable {
    let client: Client
    private var number: UInt64 { client.sound.number }

    /// What each encoder should make now, in bits a second: 0 while frames would go to nobody, because the path bears the voice
    /// alone or nobody watches; nothing for what is not shown or in no call.
    public var bitrates: Latest<[VideoSource: UInt64]> { client.board.bitrates }

    /// The encoders whose next frame must be a key frame, from now on: somebody cannot go on without.
    public var keyframes: AsyncStream<VideoSource> {
        client.told.stream {
            if case .video(_, .keyframeWanted(let source)) = $0 { source } else { nil }
        }
    }

    /// The other side's frames, each when its time has come, through calls that end and begin; ends when the client is
    /// closed. A frame goes to one of those who follow.
    public var frames: AsyncStream<VideoFrame> {
        let (waiting, video) = (client.raw.frames(), self)
        return AsyncStream {
            while await waiting.ready() {
                if let frame = video.poll() { return frame }
            }
            return nil
        } onCancel: {
            waiting.cancel()
        }
    }

    /// Hands in an encoded frame of at most 1 MiB. Never waits: for the thread of the source's encoder.
    public func push(_ info: FrameInfo, _ encoded: UnsafeRawBufferPointer) -> PushedFrame {
        guard let start = encoded.baseAddress, let bytes = UInt32(exactly: encoded.count) else { return .wrongLength }
        var head = sidetone_frame(info, bytes: bytes)
        return PushedFrame(sidetone_media_frame_push(number, &head, start.assumingMemoryBound(to: UInt8.self)))
    }

    /// Takes the next frame of the other side whose time has come, if there is one.
    public func poll() -> VideoFrame? {
        var (head, bytes, nothing) = (sidetone_frame(), Data(), UInt8(0))
        while true {
            // The first look is at the head alone, and tells how large the frame is.
            let length =
                if bytes.isEmpty {
                    sidetone_media_frame_next(number, &head, &nothing, 0)
                } else {
                    bytes.withUnsafeMutableBytes { room in
                        let start = room.baseAddress!.assumingMemoryBound(to: UInt8.self)
                        return sidetone_media_frame_next(number, &head, start, UInt32(room.count))
                    }
                }
            if length == SIDETONE_MEDIA_SHORT {
                bytes = Data(count: Int(head.bytes))
            } else if length > 0 {
                return VideoFrame(info: FrameInfo(head), bytes: bytes.prefix(Int(length)))
            } else {
                return nil
            }
        }
    }

    /// What passed of a track in the call that is on; nil without one.
    public func figures(_ source: VideoSource) throws -> VideoFigures? { try client.raw.videoFigures(source: source) }

    /// Takes no more of the path of the call that is on than this, in bits a second: for a user who pays for bytes.
    public func limit(bps: UInt64) throws { try client.raw.limitVideo(bps: bps) }
}

/// An encoded frame of the other side.
public struct VideoFrame: Sendable, Equatable {
    /// What is known of it.
    public let info: FrameInfo
    /// The frame.
    public let bytes: Data
}

extension sidetone_frame {
    init(_ info: FrameInfo, bytes: UInt32) {
        self.init()
        captured_us = info.capturedUs
        self.bytes = bytes
        (width, height, layer) = (info.width, info.height, info.layer)
        source = info.source == .camera ? 0 : 1
        codec = UInt8(VideoCodec.all.firstIndex(of: info.codec)! + 1)
        key = info.key ? 1 : 0
        rotation = UInt8(VideoRotation.all.firstIndex(of: info.rotation)!)
    }
}

extension FrameInfo {
    init(_ head: sidetone_frame) {
        self.init(
            source: head.source == 0 ? .camera : .screen, codec: VideoCodec.all[Int(head.codec) - 1], key: head.key == 1,
            rotation: VideoRotation.all[Int(head.rotation)], layer: head.layer, width: head.width, height: head.height,
            capturedUs: head.captured_us)
    }
}

extension VideoCodec {
    static let all: [VideoCodec] = [.h264, .h265, .vp8, .vp9, .av1]
}

extension VideoRotation {
    static let all: [VideoRotation] = [.none, .quarter, .half, .threeQuarters]
}

extension PushedFrame {
    init(_ answer: Int32) {
        self =
            switch answer {
            case SIDETONE_MEDIA_QUEUED: .queued
            case SIDETONE_MEDIA_DROPPED: .dropped
            case SIDETONE_MEDIA_CLOSED: .closed
            case SIDETONE_MEDIA_LENGTH: .wrongLength
            case SIDETONE_MEDIA_BUSY: .busy
            case SIDETONE_MEDIA_NO_CALL: .noCall
            case SIDETONE_MEDIA_NOT_SHOWN: .notShown
            case SIDETONE_MEDIA_NEEDS_KEY: .needsKey
            case SIDETONE_MEDIA_CODEC: .otherCodec
            case SIDETONE_MEDIA_TIME: .wrongTime
            case SIDETONE_MEDIA_HEAD: .wrongSize
            default: .fault
            }
    }
}
