import Foundation
import XCTest
import sidetoneFFI

@testable import Sidetone

final class SoundTests: XCTestCase {
    private func push(_ sound: Sound, _ bytes: Int) -> Int32 {
        [UInt8](repeating: 1, count: bytes).withUnsafeBytes(sound.push)
    }

    private func pull(_ sound: Sound, _ bytes: Int) -> (Int32, [UInt8]) {
        var speaker = [UInt8](repeating: 1, count: bytes)
        let filled = speaker.withUnsafeMutableBytes(sound.pull)
        return (filled, speaker)
    }

    private func with(_ use: (Sound) -> Void) async throws {
        let phone = try await Phones.bare()
        use(phone.sound)
        await phone.close()
    }

    func testWithoutACallNothingIsTakenAndSilenceIsPlayed() async throws {
        try await with { sound in
            same(push(sound, 1_920), 0)
            let (filled, speaker) = pull(sound, 1_920)
            same(filled, 0)
            same(Set(speaker), [0])
        }
    }

    func testHalfASampleIsRefused() async throws {
        try await with { sound in
            same([push(sound, 1_921), pull(sound, 1).0], [Sound.length, Sound.length])
        }
    }

    func testMoreThanASecondIsRefused() async throws {
        try await with { sound in
            same([push(sound, 96_002), pull(sound, 10_000_000).0], [Sound.length, Sound.length])
            same(push(sound, 96_000), 0)
        }
    }

    func testNothingAtAllIsFine() async throws {
        try await with { sound in
            same([push(sound, 0), pull(sound, 0).0], [0, 0])
        }
    }

    func testANullPointerIsToldAndHarmsNothing() async throws {
        try await with { sound in
            same(sound.push(UnsafeRawBufferPointer(start: nil, count: 0)), 0)
            same(sidetone_media_push(sound.number, nil, 960), SIDETONE_MEDIA_NULL)
            same(sidetone_media_pull(sound.number, nil, 960), SIDETONE_MEDIA_NULL)
        }
    }

    func testSoundMayLieAnywhere() async throws {
        try await with { sound in
            let bytes = [UInt8](repeating: 1, count: 962)
            same(bytes.withUnsafeBytes { sound.push(UnsafeRawBufferPointer(rebasing: $0[1..<961])) }, 0)
        }
    }

    func testANumberThatNobodyHasReachesNobody() {
        for number in [0, 1, 255, 256, UInt64.max, UInt64.max / 2] {
            let sound = Sound(number: number)
            same([push(sound, 960), pull(sound, 960).0], [Sound.closed, Sound.closed])
        }
    }

    func testAfterTheEndThePortSaysSoAndPlaysSilence() async throws {
        let phone = try await Phones.bare()
        let sound = phone.sound
        await phone.close()
        let other = try await Phones.bare()
        let (filled, speaker) = pull(sound, 960)
        same([push(sound, 960), filled], [Sound.closed, Sound.closed])
        same(Set(speaker), [0])
        same(push(other.sound, 960), 0)
        await other.close()
    }

    func testManyThreadsAtOnceAreToldAndHarmNothing() async throws {
        let phone = try await Phones.bare()
        let sound = phone.sound
        let answers = await withTaskGroup(of: Set<Int32>.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var seen = Set<Int32>()
                    var block = [UInt8](repeating: 0, count: 960)
                    for _ in 0..<20_000 {
                        seen.insert(block.withUnsafeBytes(sound.push))
                        seen.insert(block.withUnsafeMutableBytes(sound.pull))
                    }
                    return seen
                }
            }
            group.addTask {
                await phone.close()
                return []
            }
            return await group.reduce(into: Set<Int32>()) { $0.formUnion($1) }
        }
        XCTAssertTrue(answers.isSubset(of: [0, Sound.busy, Sound.closed]), "\(answers)")
    }
}
