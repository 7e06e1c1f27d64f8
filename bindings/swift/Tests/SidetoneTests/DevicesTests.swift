import Foundation
import SidetoneDevices
import XCTest

@testable import Sidetone

final class DevicesTests: XCTestCase {
    private let (sps, pps, slice) = (Data([0x67, 1, 2]), Data([0x68, 3]), Data([0x65, 0, 0, 3, 9]))

    func testAPictureGoesThereAndBack() {
        let lengthed = Data([0, 0, 0, 5]) + slice
        let frame = H264.annexB(lengthed, after: [sps, pps])
        XCTAssertEqual(frame, Data([0, 0, 0, 1]) + sps + [0, 0, 0, 1] + pps + [0, 0, 0, 1] + slice)
        XCTAssertEqual(H264.units(frame), [sps, pps, slice])
        let (sets, picture) = H264.split(H264.units(frame))
        XCTAssertEqual(sets, [sps, pps])
        XCTAssertEqual(picture, lengthed)
        XCTAssertEqual(H264.units(Data([0, 0, 1]) + pps + [0, 0, 1] + slice + [0, 0]), [pps, slice])
    }

    func testWhatIsNoPictureIsNone() {
        for bytes in [Data(), Data([0]), Data([0, 0, 1]), Data([0, 0, 0, 1, 0, 0, 1]), Data(repeating: 0, count: 99), Data([1, 2, 3])] {
            XCTAssertEqual(H264.units(bytes), [], "\([UInt8](bytes))")
        }
        XCTAssertEqual(H264.annexB(Data([0, 0, 0, 9, 1])), Data())
        XCTAssertEqual(H264.annexB(Data([255, 255, 255, 255, 1])), Data())
        XCTAssertEqual(H264.annexB(Data(repeating: 0, count: 64)), Data())
    }

    func testAVoiceNoteOfAFriendIsPutWhereApplesPlayersReadIt() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let duo = try await Phones.friends(folder: folder)
        let (note, voice) = (try VoiceNote(), try Recording.voice("anna").samples)
        for at in 0..<30 { _ = Array(voice[4_800 * at..<4_800 * (at + 1)]).withUnsafeBytes(note.push) }
        let id = try await duo.anna.chat(with: duo.benId).sendVoiceNote(note)
        let his = duo.ben.chat(with: duo.annaId)
        try await duo.ben.until { try await his.transfer(id)?.stage == .received }
        let path = try await his.transfer(id)!.path!
        let ogg = try Data(contentsOf: URL(fileURLWithPath: path))
        let caf = [UInt8](VoiceFile.caf(ogg)!)
        same(Data(caf[0..<4] + caf[8..<12] + caf[52..<56]), Data("caffdescpakt".utf8))
        func number(_ at: Int, _ bytes: Int) -> Int { caf[at..<at + bytes].reduce(0) { $0 << 8 | Int($1) } }
        let (packets, valid, skipped, rest) = (number(64, 8), number(72, 8), number(80, 4), number(84, 4))
        same(valid, 144_000)
        same(packets * 960, valid + skipped + rest)
        let tail = 64 + number(56, 8)
        same(Data(caf[tail..<tail + 4]), Data("data".utf8))
        same(tail + 12 + number(tail + 4, 8), caf.count)
        // Whatever a peer sends instead is no note, and nothing worse.
        for length in 0..<min(ogg.count, 2_000) { XCTAssertLessThan(VoiceFile.caf(ogg.prefix(length))?.count ?? 0, caf.count) }
        for at in 0..<min(ogg.count, 2_000) {
            var torn = ogg
            torn[at] = ~torn[at]
            _ = VoiceFile.caf(torn)
        }
        await duo.close()
    }

    /// A tone keeps its pitch and its length at every rate that a headset has, in whatever blocks it comes.
    func testSoundOfEveryRateBecomesSoundOfFortyEightKilohertz() {
        for rate in [8_000.0, 16_000, 24_000, 44_100, 48_000, 96_000] {
            let tone = (0..<Int(rate)).map { Float(sin(2 * Double.pi * 500 * Double($0) / rate)) * 0.5 }
            var (ramp, heard, room) = (Ramp(), [Int16](), [Int16](repeating: 0, count: 480))
            for start in stride(from: 0, to: tone.count, by: 333) {
                tone[start..<min(start + 333, tone.count)].withUnsafeBufferPointer { block in
                    room.withUnsafeMutableBufferPointer { room in
                        ramp.push(block, rate: rate, room: room) { heard += $0.bindMemory(to: Int16.self) }
                    }
                }
            }
            XCTAssertEqual(Double(heard.count), 48_000, accuracy: 8, "\(rate)")
            let rises = zip(heard, heard.dropFirst()).filter { $0 < 0 && $1 >= 0 }.count
            XCTAssertEqual(Double(rises), 500, accuracy: 1, "\(rate)")
            XCTAssertEqual(Double(heard.max()!), 16_383, accuracy: 200, "\(rate)")
        }
        var (ramp, room, pushed) = (Ramp(), [Int16](repeating: 0, count: 4), [Int16]())
        room.withUnsafeMutableBufferPointer { room in
            [Float(9), -9, .nan].withUnsafeBufferPointer { loud in
                ramp.push(UnsafeBufferPointer(rebasing: loud[..<2]), rate: 48_000, room: room) { pushed += $0.bindMemory(to: Int16.self) }
            }
        }
        XCTAssertTrue(pushed.allSatisfy { abs(Int($0)) <= 32_767 })
    }
}
