import Foundation

@testable import Sidetone

/// A recording: mono, 48 kHz, 16 bit.
struct Recording {
    var samples: [Int16]

    static func voice(_ name: String) throws -> Recording {
        let folder = ProcessInfo.processInfo.environment["SIDETONE_VOICES"]!
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name).wav")))
        func number(_ at: Int) -> Int { (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) } }
        var at = 12
        while Array(bytes[at..<at + 4]) != Array("data".utf8) { at += 8 + number(at + 4) }
        return Recording(
            samples: stride(from: at + 8, to: at + 8 + number(at + 4) - 1, by: 2).map {
                Int16(bitPattern: UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8)
            })
    }

    /// Loudness of every 20 ms.
    func envelope() -> [Double] {
        (0..<samples.count / 960).map { frame in
            let square = samples[960 * frame..<960 * (frame + 1)].reduce(0.0) { $0 + Double($1) * Double($1) }
            return (square / 960).squareRoot()
        }
    }
}

/// A sound card: speaks a recording over and over into a phone and records what the phone plays, in 10 ms blocks.
final class Card: @unchecked Sendable {
    private let sound: Sound
    private let voice: Recording
    // Guards what is below it.
    private let lock = NSLock()
    private var recorded: [Int16] = []
    private var errors: Set<Int32> = []
    private var stopped = false

    init(_ sound: Sound, _ voice: Recording) {
        (self.sound, self.voice) = (sound, voice)
        Thread.detachNewThread { [self] in run() }
    }

    private func run() {
        var block = [Int16](repeating: 0, count: 480)
        var next = Date()
        var at = 0
        while !lock.withLock({ stopped }) {
            for i in 0..<480 { block[i] = voice.samples[(at + i) % voice.samples.count] }
            at += 480
            let pushed = block.withUnsafeBytes(sound.push)
            let pulled = block.withUnsafeMutableBytes(sound.pull)
            lock.withLock {
                if pushed < 0 || pulled < 0 { errors.formUnion([pushed, pulled]) }
                recorded.append(contentsOf: block)
            }
            next += 0.01
            Thread.sleep(until: next)
        }
    }

    /// The last four seconds.
    func heard() -> Recording { Recording(samples: lock.withLock { Array(recorded.suffix(192_000)) }) }

    func close() -> Set<Int32> {
        lock.withLock {
            stopped = true
            return errors
        }
    }
}

/// How alike the last four seconds of a recording are to any four of a voice that speaks over and over: 1 is the same.
func alike(_ voice: Recording, _ heard: Recording) -> Double {
    let curve = heard.envelope()
    guard curve.count >= 200 else { return 0 }
    let (tail, once) = (Array(curve.suffix(200)), voice.envelope())
    let said = once + once
    return (0..<once.count).map { correlation(Array(said[$0..<$0 + 200]), tail) }.max()!
}

private func correlation(_ one: [Double], _ other: [Double]) -> Double {
    let (a, b) = (one.reduce(0, +) / Double(one.count), other.reduce(0, +) / Double(other.count))
    var (both, x, y) = (0.0, 0.0, 0.0)
    for i in one.indices {
        both += (one[i] - a) * (other[i] - b)
        x += (one[i] - a) * (one[i] - a)
        y += (other[i] - b) * (other[i] - b)
    }
    return both / (x * y + 1e-9).squareRoot()
}
