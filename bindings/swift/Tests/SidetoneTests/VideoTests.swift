import XCTest

@testable import Sidetone

final class VideoTests: XCTestCase {
    private static let meeting = Task { try await Phones.friends() }

    private func friends() async throws -> Duo {
        let duo = try await Self.meeting.value
        try await duo.hangUp()
        for phone in [duo.anna, duo.ben] { try await phone.video.bitrates.until(\.isEmpty) }
        return duo
    }

    private func show(_ call: Call, _ phone: Client, _ sources: Set<VideoSource>) async throws {
        if sources.contains(.camera) { try await call.setCamera(true) }
        if sources.contains(.screen) { try await call.setScreenShare(.text) }
        try await phone.video.bitrates.until { Set($0.keys) == sources && $0.values.allSatisfy { $0 > 0 } }
    }

    private func pass(_ film: Film, _ from: Client, _ to: Client, _ count: Int) async throws {
        let playing = Task { await film.play(from.video) }
        defer { playing.cancel() }
        try await film.check(to.video.frames, count)
    }

    func testPicturesGoBothWaysBitForBit() async throws {
        let duo = try await friends()
        let (hers, his) = try await duo.talk()
        try await show(hers, duo.anna, [.camera])
        try await show(his, duo.ben, [.camera])
        try await pass(Film(.camera), duo.anna, duo.ben, 40)
        try await pass(Film(.camera), duo.ben, duo.anna, 40)
        let (sent, received) = (try duo.anna.video.figures(.camera)!, try duo.ben.video.figures(.camera)!)
        XCTAssertTrue(sent.framesSent >= 40 && sent.bytesSent > 0 && received.framesReceived >= 40, "\(sent) \(received)")
    }

    func testASharedScreenArrivesBesideTheCameraAndGoesWithoutIt() async throws {
        let duo = try await friends()
        let (hers, his) = try await duo.talk()
        try await show(hers, duo.anna, [.camera, .screen])
        try await his.view.until { $0.theirShows == Shows(camera: true, screen: .text) }
        try await hers.view.until { $0.shows == Shows(camera: true, screen: .text) }
        for film in [Film(.camera), Film(.screen)] { try await pass(film, duo.anna, duo.ben, 5) }
        try await hers.setScreenShare(.motion)
        try await his.view.until { $0.theirShows == Shows(camera: true, screen: .motion) }
        try await hers.setScreenShare(nil)
        try await his.view.until { $0.theirShows == Shows(camera: true, screen: nil) }
        try await duo.anna.video.bitrates.until { Set($0.keys) == [.camera] }
        same(Film(.screen).push(duo.anna.video), .notShown)
        same(Film(.camera).push(duo.anna.video, key: true), .queued)
    }

    func testAFrameOfAMegabyteArrivesWhole() async throws {
        let duo = try await friends()
        let (hers, _) = try await duo.talk()
        try await show(hers, duo.anna, [.screen])
        let film = Film(.screen, lengths: [1 << 20])
        same(film.push(duo.anna.video), .queued)
        try await film.check(duo.ben.video.frames, 1)
    }

    func testWhatAnEncoderMustNotHandInIsRefusedAndTheTrackGoesOn() async throws {
        let duo = try await friends()
        let video = duo.anna.video
        same(Film(.camera).push(video), .noCall)
        let (hers, _) = try await duo.talk()
        same(Film(.camera).push(video), .notShown)
        try await show(hers, duo.anna, [.camera])
        func info(key: Bool, codec: VideoCodec = .h264, layer: UInt8 = 0, width: UInt16 = 1_280, at us: UInt64) -> FrameInfo {
            FrameInfo(
                source: .camera, codec: codec, key: key, rotation: .none, layer: layer, width: width, height: 720,
                capturedUs: us)
        }
        func push(_ info: FrameInfo, _ length: Int = 100) -> PushedFrame {
            Film.bytes(0, length).withUnsafeBytes { video.push(info, $0) }
        }
        let origin: UInt64 = 5_000_000
        same(push(info(key: false, at: origin)), .needsKey)
        same(push(info(key: true, at: origin), 0), .wrongLength)
        same(push(info(key: true, at: origin), (1 << 20) + 1), .wrongLength)
        same(push(info(key: true, width: 0, at: origin)), .wrongSize)
        same(push(info(key: true, layer: 16, at: origin)), .wrongSize)
        same(push(info(key: true, at: .max)), .wrongTime)
        same(push(info(key: true, at: origin)), .queued)
        same(push(info(key: false, codec: .av1, at: origin)), .otherCodec)
        same(push(info(key: false, at: origin - 1)), .wrongTime)
        same(push(info(key: false, at: origin + 61_000_000)), .wrongTime)
        same(push(info(key: false, at: origin + 1)), .queued)
    }

    func testAnEncoderLearnsWhatThePathBearsAndWhenAKeyFrameIsWanted() async throws {
        let duo = try await friends()
        let (hers, his) = try await duo.talk()
        let keyframes = duo.anna.video.keyframes
        try await show(hers, duo.anna, [.camera])
        let film = Film(.camera, lengths: [60_000])
        let answers = (0..<500).map { film.push(duo.anna.video, key: $0 == 0) }
        XCTAssertTrue(answers.contains(.dropped), "a queue without end")
        try await keyframes.until { $0 == .camera }
        try await his.want(camera: 180, screen: 0)
        try await hers.view.until { $0.theirWants == Wants(camera: 180, screen: 0) }
        try duo.anna.video.limit(bps: 100_000)
        try await duo.anna.video.bitrates.until { ($0[.camera] ?? 0) <= 100_000 }
    }

    func testWhoStopsLookingTakesNoFrameFromWhoLooksNext() async throws {
        let duo = try await friends()
        let (hers, _) = try await duo.talk()
        try await show(hers, duo.anna, [.camera])
        let (looking, seen, film) = (duo.ben.video, Latest(0), Film(.camera))
        let first = Task { for await _ in looking.frames { seen.set(1) } }
        same(film.push(duo.anna.video), .queued)
        try await seen.until { $0 == 1 }
        first.cancel()
        await first.value
        same(film.push(duo.anna.video, key: true), .queued)
        try await film.check(duo.ben.video.frames, 1)
    }

    func testAfterTheEndPicturesSaySo() async throws {
        let phone = try await Phones.bare()
        let video = phone.video
        XCTAssertNil(try video.figures(.camera))
        let seen = Task { await video.frames.reduce(0) { count, _ in count + 1 } }
        await phone.close()
        same(await seen.value, 0)
        same(Film(.camera).push(video), .closed)
        XCTAssertNil(video.poll())
        same(try await code { try video.figures(.camera) }, .closed)
        same(try await code { try video.limit(bps: 1) }, .closed)
        let other = try await Phones.bare()
        same(Film(.camera).push(video), .closed)
        await other.close()
    }

    func testManyEncodersAtOnceAreToldAndHarmNothing() async throws {
        let duo = try await friends()
        let (hers, _) = try await duo.talk()
        try await show(hers, duo.anna, [.camera, .screen])
        let answers = await withTaskGroup(of: Set<PushedFrame>.self) { group in
            for number in 0..<8 {
                group.addTask {
                    let film = Film(number % 2 == 0 ? .camera : .screen)
                    var answers: Set<PushedFrame> = []
                    for _ in 0..<2_000 {
                        answers.insert(film.push(duo.anna.video, key: true))
                        _ = duo.ben.video.poll()
                    }
                    return answers
                }
            }
            try? await hers.hangUp()
            return await group.reduce(into: Set()) { $0.formUnion($1) }
        }
        XCTAssertTrue(answers.isSubset(of: [.queued, .dropped, .busy, .notShown, .noCall]), "\(answers)")
    }
}
