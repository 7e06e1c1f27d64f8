import Foundation
import XCTest

@testable import Sidetone

final class RoomVideoTests: XCTestCase {
    private func show(_ room: Room, _ shows: Shows, _ sources: Set<VideoSource>) async throws {
        try await room.show(shows)
        try await room.video.bitrates.until { Set($0.keys) == sources && $0.values.allSatisfy { $0 > 0 } }
    }

    /// What others show of one member, as the film checks it.
    private func frames(_ video: RoomVideo, of member: MemberId) -> AsyncStream<VideoFrame> {
        let frames = Unchecked(video.frames)
        let (stream, seen) = AsyncStream<VideoFrame>.makeStream()
        let watch = Task {
            for await frame in frames.value where frame.member == member {
                seen.yield(VideoFrame(info: frame.info, bytes: frame.bytes))
            }
            seen.finish()
        }
        seen.onTermination = { _ in watch.cancel() }
        return stream
    }

    func testPicturesInARoomGoToEverybodyWhoWatchesBitForBit() async throws {
        let mates = try await Mates.meet(Mates.policy())
        let cleo = try await Phones.bare()
        let third = try await cleo.joinLink(mates.hers.link(), as: Mates.guest("Cleo"))
        for room in [mates.hers, mates.his, third] {
            try await room.view.until { $0.members.count == 2 && $0.members.allSatisfy(\.isHere) }
        }
        try await show(mates.hers, Shows(camera: true), [.camera])
        let us = mates.hers.view.value.us
        let film = Film(.camera)
        let playing = Task { await film.play(mates.hers.video) }
        for room in [mates.his, third] {
            try await room.view.until { $0.members.contains { $0.member == us && $0.shows == Shows(camera: true) } }
            try await film.check(frames(room.video, of: us), 20)
        }
        playing.cancel()
        for member in mates.hers.members.map(\.member) {
            XCTAssertTrue(try mates.hers.video.follows(member, .camera))
            XCTAssertGreaterThanOrEqual(try mates.hers.video.figures(of: member, .camera)!.framesSent, 20)
        }
        XCTAssertGreaterThanOrEqual(try mates.his.video.figures(of: us, .camera)!.framesReceived, 20)
        XCTAssertNil(try mates.his.video.figures(of: MemberId(hex: String(repeating: "00", count: 16)), .camera))
        await cleo.close()
        await mates.close()
    }

    func testAScreenIsSharedBesideTheCameraAndFramesOfNobodyElseAreHandedIn() async throws {
        let mates = try await Mates.meet(Mates.policy())
        let video = mates.hers.video
        same(Film(.camera).push(video), .notShown)
        try await show(mates.hers, Shows(camera: true, screen: .text), [.camera, .screen])
        try await mates.his.view.until { $0.members[0].shows == Shows(camera: true, screen: .text) }
        let film = Film(.screen, lengths: [1 << 20])
        same(film.push(video), .queued)
        try await film.check(frames(mates.his.video, of: mates.hers.view.value.us), 1)
        try await show(mates.hers, Shows(camera: true), [.camera])
        same(Film(.screen).push(video), .notShown)
        let bytes = Film.bytes(0, 100)
        same(bytes.withUnsafeBytes { video.push(Film.info(.camera, 0, key: false), $0) }, .needsKey)
        same(video.push(Film.info(.camera, 0, key: true), UnsafeRawBufferPointer(start: nil, count: 0)), .wrongLength)
        same(bytes.withUnsafeBytes { video.push(Film.info(.camera, 0, key: true), $0) }, .queued)
        await mates.close()
    }

    func testAnEncoderRestsWhileNobodyWantsToSeeAndIsToldWhenToBegin() async throws {
        let mates = try await Mates.meet(Mates.policy())
        try await show(mates.hers, Shows(camera: true), [.camera])
        let us = mates.hers.view.value.us
        try await mates.his.want(from: us, camera: 0, screen: 0)
        try await mates.hers.view.until { $0.wants.camera == 0 && $0.members[0].wants == Wants(camera: 0, screen: 0) }
        try await mates.hers.video.bitrates.until { $0[.camera] == 0 }
        let keyframes = mates.hers.video.keyframes
        try await mates.his.want(from: us, camera: 360)
        try await mates.hers.view.until { $0.wants.camera == 360 }
        try await mates.hers.video.bitrates.until { ($0[.camera] ?? 0) > 0 }
        let film = Film(.camera, lengths: [60_000])
        let answers = (0..<500).map { film.push(mates.hers.video, key: $0 == 0) }
        XCTAssertTrue(answers.contains(.dropped), "a queue without end")
        try await keyframes.until { $0 == .camera }
        try mates.hers.video.limit(bps: 100_000)
        try await mates.hers.video.bitrates.until { ($0[.camera] ?? 0) <= 100_000 }
        let nobody = MemberId(hex: String(repeating: "00", count: 16))
        same(try await code { try await mates.his.want(from: nobody) }, .noSuchMember)
        same(try await code { try await mates.his.want(from: MemberId(hex: "?")) }, .notAnId)
        await mates.close()
    }

    func testWhoLeavesSeesAndShowsNothingMore() async throws {
        let mates = try await Mates.meet(Mates.policy())
        try await show(mates.hers, Shows(camera: true), [.camera])
        let video = mates.hers.video
        let seen = Task { await video.frames.reduce(0) { count, _ in count + 1 } }
        try await mates.hers.leave()
        let count = try await patient { await seen.value }
        same(count, 0)
        try await video.bitrates.until(\.isEmpty)
        same(Film(.camera).push(video), .noCall)
        XCTAssertNil(video.poll())
        same(try await code { try await mates.hers.show(Shows(camera: true)) }, .noSuchRoom)
        await mates.close()
        same(Film(.camera).push(mates.his.video), .closed)
        XCTAssertNil(mates.his.video.poll())
        same(try await code { try mates.his.video.limit(bps: 1) }, .closed)
        try await patient { for await _ in mates.his.video.frames {} }
    }
}
