import Foundation
import sidetoneFFI

/// Where the pictures of the call that is on, with a friend or a stranger, go in and out, encoded: the app's encoder hands
/// frames in, its decoder takes them. Nothing looks into them on the way; they are sealed with what is known of them.
public struct Video: Sendable {
    let client: Client
    private var number: UInt64 { client.sound.number }

    /// What each encoder should make now, in bits a second: 0 while frames would go to nobody, because the path bears the voice
    /// alone or nobody watches; nothing for what is not shown or in no call.
    public var bitrates: Latest<[VideoSource: UInt64]> { client.board.rates.now }

    /// The encoders whose next frame must be a key frame, from now on: somebody cannot go on without.
    public var keyframes: AsyncStream<VideoSource> {
        client.told.stream {
            if case .video(_, .keyframeWanted(let source)) = $0 { source } else { nil }
        }
    }

    /// The other side's frames, each when its time has come, through calls that end and begin; ends when the client is
    /// closed. A frame goes to one of those who follow.
    public var frames: AsyncStream<VideoFrame> {
        let video = self
        return follow(client.raw.frames()) { video.poll() }
    }

    /// Hands in an encoded frame of at most 1 MiB. Never waits: for the thread of the source's encoder.
    public func push(_ info: FrameInfo, _ encoded: UnsafeRawBufferPointer) -> PushedFrame {
        hand(info, encoded) { sidetone_media_frame_push(number, $0, $1) }
    }

    /// Takes the next frame of the other side whose time has come, if there is one.
    public func poll() -> VideoFrame? {
        take { sidetone_media_frame_next(number, $0, $1, $2) }.map { VideoFrame(info: $0, bytes: $1) }
    }

    /// What passed of a track in the call that is on; nil without one.
    public func figures(_ source: VideoSource) throws -> VideoFigures? { try client.raw.videoFigures(source: source) }

    /// Takes no more of the path of the call that is on than this, in bits a second: for a user who pays for bytes.
    public func limit(bps: UInt64) throws { try client.raw.limitVideo(bps: bps) }
}

/// Where the pictures of a room go in and out, encoded, as those of a call do in `Video`.
public struct RoomVideo: Sendable {
    let room: RoomId
    let stay: Stay
    let client: Client
    private var number: UInt64 { client.sound.number }

    /// What each encoder should make now, in bits a second: 0 while nobody watches or no path bears it; nothing for what is not
    /// shown.
    public var bitrates: Latest<[VideoSource: UInt64]> { stay.rates.now }

    /// The encoders whose next frame must be a key frame, from now on: somebody cannot go on without.
    public var keyframes: AsyncStream<VideoSource> {
        client.told.stream { [room] in
            if case .roomVideo(room, .keyframeWanted(let source)) = $0 { source } else { nil }
        }
    }

    /// Everybody's frames, each when its time has come; ends when we are out of the room. A frame goes to one of those who
    /// follow.
    public var frames: AsyncStream<RoomFrame> {
        guard let waiting = try? client.raw.roomFrames(room: room) else { return AsyncStream { $0.finish() } }
        let video = self
        return follow(waiting) { video.poll() }
    }

    /// Hands in a frame for everybody who watches: as `Video.push`. It is sealed once, however many do.
    public func push(_ info: FrameInfo, _ encoded: UnsafeRawBufferPointer) -> PushedFrame {
        let id = room.bytes
        return hand(info, encoded) { sidetone_media_room_push(number, id, $0, $1) }
    }

    /// Takes the next frame of anybody whose time has come, if there is one.
    public func poll() -> RoomFrame? {
        let id = room.bytes
        var member = [UInt8](repeating: 0, count: id.count)
        let taken = take { sidetone_media_room_next(number, id, $0, &member, $1, $2) }
        return taken.map { RoomFrame(member: MemberId(bytes: member), info: $0, bytes: $1) }
    }

    /// What passed of a track between us and a member; nil where there is no such member.
    public func figures(of member: MemberId, _ source: VideoSource) throws -> VideoFigures? {
        try client.raw.roomVideoFigures(room: room, member: member, source: source)
    }

    /// Whether the path to a member bears our pictures; while it does not, the member hears us only.
    public func follows(_ member: MemberId, _ source: VideoSource) throws -> Bool {
        try client.raw.followsInRoom(room: room, member: member, source: source)
    }

    /// Takes no more of each path than this, in bits a second, for as long as we are in the room.
    public func limit(bps: UInt64) throws { try client.raw.limitRoomVideo(room: room, bps: bps) }
}

/// Frames as they come: each time the library says that there may be one, it is taken.
private func follow<Frame: Sendable>(
    _ waiting: RawFrames, _ take: @escaping @Sendable () -> Frame?
) -> AsyncStream<Frame> {
    AsyncStream {
        while await waiting.ready() {
            if let frame = take() { return frame }
        }
        return nil
    } onCancel: {
        waiting.cancel()
    }
}

/// Hands in a frame with its head by way of `port`.
private func hand(
    _ info: FrameInfo, _ encoded: UnsafeRawBufferPointer,
    _ port: (UnsafePointer<sidetone_frame>, UnsafePointer<UInt8>) -> Int32
) -> PushedFrame {
    guard let start = encoded.baseAddress, let bytes = UInt32(exactly: encoded.count) else { return .wrongLength }
    var head = sidetone_frame(info, bytes: bytes)
    return PushedFrame(port(&head, start.assumingMemoryBound(to: UInt8.self)))
}

/// Takes a frame with its head by way of `port`, if there is one.
private func take(
    _ port: (UnsafeMutablePointer<sidetone_frame>, UnsafeMutablePointer<UInt8>, UInt32) -> Int32
) -> (FrameInfo, Data)? {
    var (head, bytes, nothing) = (sidetone_frame(), Data(), UInt8(0))
    while true {
        // The first look is at the head alone, and tells how large the frame is.
        let length =
            if bytes.isEmpty {
                port(&head, &nothing, 0)
            } else {
                bytes.withUnsafeMutableBytes { room in
                    port(&head, room.baseAddress!.assumingMemoryBound(to: UInt8.self), UInt32(room.count))
                }
            }
        if length == SIDETONE_MEDIA_SHORT {
            bytes = Data(count: Int(head.bytes))
        } else if length > 0 {
            return (FrameInfo(head), bytes.prefix(Int(length)))
        } else {
            return nil
        }
    }
}

/// An encoded frame of the other side.
public struct VideoFrame: Sendable, Equatable {
    /// What is known of it.
    public let info: FrameInfo
    /// The frame.
    public let bytes: Data
}

/// An encoded frame of somebody in a room.
public struct RoomFrame: Sendable, Equatable {
    /// Whose.
    public let member: MemberId
    /// What is known of it.
    public let info: FrameInfo
    /// The frame.
    public let bytes: Data
}

extension RoomId {
    /// As the media port takes it: 16 bytes, also where the digits are none.
    var bytes: [UInt8] {
        let digits = Array(hex.utf8).prefix(32)
        let values = digits.map { UInt8(String(UnicodeScalar($0)), radix: 16) ?? 0 }
        return (0..<16).map { 2 * $0 + 1 < values.count ? values[2 * $0] << 4 | values[2 * $0 + 1] : 0 }
    }
}

extension MemberId {
    init(bytes: [UInt8]) {
        let digits = Array("0123456789abcdef")
        self.init(hex: String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }))
    }
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
