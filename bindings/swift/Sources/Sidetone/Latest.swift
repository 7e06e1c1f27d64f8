import Foundation

/// Something of which the latest is of interest: read it, or follow it.
public final class Latest<Value: Sendable & Equatable>: @unchecked Sendable {
    // Guards what is below it; held for a look or a change and never across a wait.
    private let lock = NSLock()
    private var current: Value
    private var watchers: [UUID: AsyncStream<Value>.Continuation] = [:]
    private var over = false

    init(_ first: Value) {
        current = first
    }

    /// As of now.
    public var value: Value {
        lock.withLock { current }
    }

    /// As of now and each change from now on; who follows slowly sees only the latest. Ends when the client is closed.
    public var values: AsyncStream<Value> {
        let (stream, watcher) = AsyncStream<Value>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let id = UUID()
        watcher.onTermination = { [weak self] _ in apart { [weak self] in self?.leave(id) } }
        let last = lock.withLock {
            watcher.yield(current)
            if !over { watchers[id] = watcher }
            return over
        }
        // Outside the lock: what follows on the end takes it again.
        if last { watcher.finish() }
        return stream
    }

    func set(_ new: Value) {
        lock.withLock {
            guard !over, new != current else { return }
            current = new
            watchers.values.forEach { $0.yield(new) }
        }
    }

    func finish() {
        let last = lock.withLock {
            over = true
            defer { watchers = [:] }
            return Array(watchers.values)
        }
        last.forEach { $0.finish() }
    }

    private func leave(_ id: UUID) {
        lock.withLock { _ = watchers.removeValue(forKey: id) }
    }
}

/// What is told to everybody who listens.
final class Told<Value: Sendable>: @unchecked Sendable {
    // As above.
    private let lock = NSLock()
    private var listeners: [UUID: Listener] = [:]
    private var over = false

    private struct Listener {
        let tell: (Value) -> Void
        let finish: () -> Void
    }

    /// What is told from now on, as far as `part` makes something of it.
    func stream<Part: Sendable>(_ part: @escaping @Sendable (Value) -> Part?) -> AsyncStream<Part> {
        let (stream, listener) = AsyncStream<Part>.makeStream(bufferingPolicy: .bufferingNewest(256))
        let id = UUID()
        listener.onTermination = { [weak self] _ in apart { [weak self] in self?.leave(id) } }
        let last = lock.withLock {
            if !over {
                let tell = { (value: Value) in if let part = part(value) { listener.yield(part) } }
                listeners[id] = Listener(tell: tell, finish: { listener.finish() })
            }
            return over
        }
        if last { listener.finish() }
        return stream
    }

    func tell(_ value: Value) {
        lock.withLock { listeners.values.forEach { $0.tell(value) } }
    }

    func finish() {
        let last = lock.withLock {
            over = true
            defer { listeners = [:] }
            return Array(listeners.values)
        }
        last.forEach { $0.finish() }
    }

    private func leave(_ id: UUID) {
        lock.withLock { _ = listeners.removeValue(forKey: id) }
    }
}

/// A task that is cancelled is locked by the runtime while it is told so, and what wakes it waits for that lock: whoever held
/// ours meanwhile would never give it back. So it is taken on another thread.
private func apart(_ act: @escaping @Sendable () -> Void) { DispatchQueue.global().async(execute: act) }
