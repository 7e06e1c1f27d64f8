import Foundation
import XCTest

@testable import Sidetone

/// Encoded frames that nobody could mistake for others, of all sizes that are cut differently.
final class Film: @unchecked Sendable {
    private let source: VideoSource
    private let lengths: [Int]
    // Guards what is below it.
    private let lock = NSLock()
    private var pushed: [UInt64: VideoFrame] = [:]
    private var answers: [PushedFrame: Int] = [:]
    private var next = 0
    private var needsKey = true

    init(_ source: VideoSource, lengths: [Int] = [1, 700, 1_159, 1_160, 1_161, 4_000, 9_000]) {
        (self.source, self.lengths) = (source, lengths)
    }

    /// The next frame; a key frame if one is due: the first, after one that was not taken, and once a second.
    @discardableResult
    func push(_ video: Video, key: Bool? = nil) -> PushedFrame { push(key, video.push) }

    @discardableResult
    func push(_ video: RoomVideo, key: Bool? = nil) -> PushedFrame { push(key, video.push) }

    private func push(_ key: Bool?, _ port: (FrameInfo, UnsafeRawBufferPointer) -> PushedFrame) -> PushedFrame {
        lock.withLock {
            let info = Film.info(source, next, key: key ?? (needsKey || next % 30 == 0))
            let frame = VideoFrame(info: info, bytes: Film.bytes(next, lengths[next % lengths.count]))
            pushed[info.capturedUs] = frame
            next += 1
            let answer = frame.bytes.withUnsafeBytes { port(info, $0) }
            needsKey = answer != .queued
            answers[answer, default: 0] += 1
            return answer
        }
    }

    /// Thirty frames a second until it is cancelled.
    func play(_ video: Video) async { await play { self.push(video) } }

    func play(_ video: RoomVideo) async { await play { self.push(video) } }

    private func play(_ push: @Sendable () -> PushedFrame) async {
        while !Task.isCancelled {
            _ = push()
            try? await Task.sleep(for: .milliseconds(33))
        }
    }

    /// So many frames arrive, each as it was, none twice, in their order.
    func check(_ frames: AsyncStream<VideoFrame>, _ count: Int) async throws {
        let (source, frames) = (source, Unchecked(frames))
        let seen: [VideoFrame]
        do {
            seen = try await patient {
                var seen: [VideoFrame] = []
                for await frame in frames.value where frame.info.source == source {
                    seen.append(frame)
                    if seen.count == count { return seen }
                }
                throw InVain(description: "closed")
            }
        } catch let why as InVain {
            throw InVain(description: "\(why): fewer than \(count) frames came; those handed in became \(lock.withLock { answers })")
        }
        for frame in seen { same(frame, lock.withLock { pushed[frame.info.capturedUs]! }) }
        let times = seen.map(\.info.capturedUs)
        same(times, Set(times).sorted())
    }

    static func info(_ source: VideoSource, _ number: Int, key: Bool, codec: VideoCodec? = nil) -> FrameInfo {
        FrameInfo(
            source: source, codec: codec ?? (source == .camera ? .h264 : .av1), key: key,
            rotation: source == .camera ? .threeQuarters : .none, layer: 3, width: 40_000, height: 720,
            capturedUs: 7_000_000 + 33_333 * UInt64(number))
    }

    static func bytes(_ number: Int, _ length: Int) -> Data {
        Data((0..<length).map { UInt8(truncatingIfNeeded: ($0 &* 31) ^ number) })
    }
}
