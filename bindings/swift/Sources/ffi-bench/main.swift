// `make bench-ffi`: what the way between Swift and the library costs.
import Foundation
import Sidetone
import SidetoneTestkit

final class Vault: KeyVault {
    func loadOrCreate() throws -> Data { Data(repeating: 7, count: 32) }

    func forgetKey() throws {}
}

/// Microseconds each, the best of ten runs.
func cost(_ count: Int, _ body: () async throws -> Void) async rethrows -> Double {
    var best = Double.infinity
    for _ in 0..<10 {
        let began = ContinuousClock.now
        for _ in 0..<count { try await body() }
        best = min(best, (ContinuousClock.now - began) / .microseconds(1) / Double(count))
    }
    return best
}

let options = ClientOptions(server: "ws://127.0.0.1:1", bind: ["127.0.0.1"])
let client = try await Client.open(options, vault: Vault())
let frame = UnsafeMutableRawBufferPointer.allocate(byteCount: 1_920, alignment: 16)
let bytes = Data(count: 1_920)
let uniffi = UniffiSound()
func one(_ count: Int, _ body: () -> Void) -> Double {
    (0..<10).map { _ in
        let began = ContinuousClock.now
        for _ in 0..<count { body() }
        return (ContinuousClock.now - began) / .microseconds(1) / Double(count)
    }.min()!
}
let port = one(20_000) {
    _ = client.sound.push(UnsafeRawBufferPointer(frame))
    _ = client.sound.pull(frame)
}
let objects = one(5_000) {
    _ = uniffi.push(pcm: bytes)
    _ = uniffi.pull()
}
let call = one(20_000) { noop() }
let raw = try RawClient.open(options: options, vault: Vault())
let awaited = try await cost(500) { _ = try await raw.calls() }
func number(_ value: Double) -> String { String(format: "%.2f", value) }
print("swift: a 20 ms frame each way \(number(port)) us by the media port, \(number(objects)) us by UniFFI")
print("swift: an empty call \(number(call)) us, an awaited one (also a batch of events) \(number(awaited)) us")
await raw.shutDown()
await client.close()
