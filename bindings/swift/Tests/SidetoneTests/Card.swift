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

    /// The same at 2 kHz: quick to compare, and speech is in it.
    var thin: [Float] {
        samples.withUnsafeBufferPointer { samples in
            (0..<samples.count / coarse).map { at in
                var sum = 0
                for i in coarse * at..<coarse * (at + 1) { sum += Int(samples[i]) }
                return Float(sum) / Float(coarse)
            }
        }
    }
}

/// Samples per thin one.
private let coarse = 24
/// Half a second of thin samples: like nothing else in a recording.
private let piece = 1_000
/// A piece softer than this holds no speech.
private let soft: Float = 150
/// From this correlation on a piece is found.
private let found: Float = 0.7

/// A sound card: speaks a recording over and over into a phone and records what the phone plays, in 10 ms blocks.
final class Card: @unchecked Sendable {
    private let sound: Sound
    private let voice: Recording
    private let began = Date()
    // Guards what is below it.
    private let lock = NSLock()
    private var recorded: [Int16] = []
    private var errors: Set<Int32> = []
    private var stopped = false
    private let blocks = Latest(0)

    init(_ sound: Sound, _ voice: Recording) {
        (self.sound, self.voice) = (sound, voice)
        Thread.detachNewThread { [self] in run() }
    }

    private func run() {
        var block = [Int16](repeating: 0, count: 480)
        var next = began
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
            blocks.set(blocks.value + 1)
            next += 0.01
            Thread.sleep(until: next)
        }
    }

    /// Looks again with every fifth of a second that was played, until it holds.
    func until(_ holds: @escaping @Sendable () async throws -> Bool) async throws {
        try await patient { [blocks] in
            var next = 0
            for await at in blocks.values where at >= next {
                next = at + 20
                if try await holds() { return }
            }
        }
    }

    /// Returns once so much more was played.
    func plays(ms: Int) async throws {
        let enough = blocks.value + ms / 10
        try await blocks.until { $0 >= enough }
    }

    /// Returns once it heard enough of what another card says.
    func listen(_ other: Card) async throws { try await until { self.hears(other) >= 0.75 } }

    /// How loud the last half second is.
    func loudness() -> Double {
        let tail = lock.withLock { recorded.suffix(24_000) }
        return (tail.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(max(tail.count, 1))).squareRoot()
    }

    /// How much of the last four seconds is what another card says: the part of its half seconds with sound whose waveform is
    /// found in what that card said up to a second and a half before. A jitter buffer that stretches, and a machine that is
    /// busy, spoil pieces and leave the others. `voice` is what it would have said, for comparison.
    func hears(_ other: Card, _ voice: Recording? = nil) -> Double {
        let (first, tail) = lock.withLock { (max(recorded.count - 192_000, 0), Array(recorded.suffix(192_000))) }
        let (thin, once) = (Recording(samples: tail).thin, (voice ?? other.voice).thin)
        let ahead = first + Int(began.timeIntervalSince(other.began) * 48_000)
        return (once + once).withUnsafeBufferPointer { said in
            thin.withUnsafeBufferPointer { thin in
                let spoken = stride(from: 0, through: thin.count - piece, by: piece).filter { power(thin, $0) > soft * soft }
                let right = spoken.filter { best(thin, $0, said, ahead / coarse + $0) >= found }
                return spoken.count < 4 ? 0 : Double(right.count) / Double(spoken.count)
            }
        }
    }

    func close() -> Set<Int32> {
        lock.withLock {
            stopped = true
            return errors
        }
    }
}

private func power(_ one: UnsafeBufferPointer<Float>, _ from: Int) -> Float {
    var sum: Float = 0
    var i = from
    while i < from + piece {
        sum += one[i] * one[i]
        i += 1
    }
    return sum / Float(piece)
}

private func best(
    _ one: UnsafeBufferPointer<Float>, _ from: Int, _ said: UnsafeBufferPointer<Float>, _ expected: Int
) -> Float {
    let once = said.count / 2
    var most: Float = 0
    var lag = -1_000
    while lag <= 3_000 {
        let at = ((expected - lag) % once + once) % once
        var (both, first, second): (Float, Float, Float) = (0, 1e-9, 1e-9)
        var i = 0
        while i < piece {
            let (a, b) = (one[from + i], said[at + i])
            both += a * b
            first += a * a
            second += b * b
            i += 1
        }
        most = max(most, both / (first * second).squareRoot())
        lag += 1
    }
    return most
}
