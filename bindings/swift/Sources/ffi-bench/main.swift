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
let empty = UnsafeRawBufferPointer(start: frame.baseAddress, count: 0)
let none = one(20_000) { _ = client.sound.push(empty) }
let port = one(20_000) {
    _ = client.sound.push(UnsafeRawBufferPointer(frame))
    _ = client.sound.pull(frame)
}
let objects = one(5_000) {
    _ = uniffi.push(pcm: bytes)
    _ = uniffi.pull()
}

final class Listener: BenchListener {
    func told(event: BenchEvent) {}
}

let call = one(20_000) { noop() }
let raw = try RawClient.open(options: options, vault: Vault())
let awaited = try await cost(1_000) { _ = try await raw.calls() }
let batch = await cost(500) { _ = await benchBatch(count: 64) } / 64
let alone = await cost(1_000) { _ = await benchBatch(count: 1) }
let listener = Listener()
let called = one(20) { benchTell(listener: listener, count: 64) } / 64
func tell(_ what: String, _ chosen: Double, _ how: String, _ others: (Double, String)...) {
    let rest = others.map { String(format: ", %.2f us ", $0.0) + $0.1 + String(format: " (%.1f times)", $0.0 / chosen) }
    print("swift: \(what) \(String(format: "%.2f", chosen)) us \(how)\(rest.joined())")
}
tell(
    "a 20 ms frame each way", port, "by the media port", (objects, "through UniFFI objects"),
    (none, "a C call that does nothing"))
tell("a call", none, "raw C", (call, "through UniFFI"), (awaited, "awaited, with an answer of no record"))
tell(
    "an event", batch, "in a batch of 64", (alone, "pulled alone"), (called, "by callback from a thread of the library's"))

/// The longest of 20 times, in milliseconds, from cancelling a task until its operation is cancelled.
func cancelling() async throws -> Double {
    let server = try TestServer.start()
    var phones: [RawClient] = []
    for _ in 0..<20 {
        let raw = try RawClient.open(options: ClientOptions(server: server.url(), bind: ["127.0.0.1"]), vault: Vault())
        while !(await raw.nextEvents()).contains(.online) {}
        phones.append(raw)
    }
    server.freeze()
    var longest = 0.0
    for raw in phones {
        let operation = raw.signIn(name: "somebody", password: "a long password")
        let seen = Task { () -> ContinuousClock.Instant in
            _ = try? await operation.outcome()
            return ContinuousClock.now
        }
        let waiting = Task { try await operation.value }
        let began = ContinuousClock.now
        waiting.cancel()
        longest = max(longest, (await seen.value - began) / .milliseconds(1))
        precondition(operation.progress() == .cancelled)
    }
    server.thaw()
    for raw in phones { await raw.shutDown() }
    return longest
}

let longest = try await cancelling()
print("swift: a cancelled task reaches its operation after \(String(format: "%.2f", longest)) ms at most, of 20")
await raw.shutDown()
await client.close()
guard port * 10 <= objects else { fatalError("the media port costs more than a tenth of UniFFI") }
guard longest < 100 else { fatalError("a cancelled task reaches its operation too late") }
