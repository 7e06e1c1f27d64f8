#if os(iOS)
import Foundation
import Network

/// Where an app and its broadcast find each other: a socket in the folder that both share.
private func airlock(_ group: String) -> String? {
    FileManager.default.containerURL(forSecurityApplicationGroupIdentifier: group)?.appendingPathComponent("s").path
}

/// The app's end: takes the pictures of a broadcast, and tells it what to make.
final class Airlock {
    private let queue: DispatchQueue
    private let give: (Picture) -> Void
    private var listener: NWListener?
    private var broadcast: NWConnection?
    private var bps: UInt64 = 0
    private let changed: @MainActor (Bool) -> Void

    init(_ group: String, on queue: DispatchQueue, changed: @escaping @MainActor (Bool) -> Void, give: @escaping (Picture) -> Void) {
        (self.queue, self.changed, self.give) = (queue, changed, give)
        guard let path = airlock(group) else { return }
        try? FileManager.default.removeItem(atPath: path)
        let parameters = NWParameters.tcp
        parameters.requiredLocalEndpoint = .unix(path: path)
        listener = try? NWListener(using: parameters)
        listener?.newConnectionHandler = { [weak self] in self?.accept($0) }
        listener?.start(queue: queue)
    }

    func set(bps: UInt64) {
        self.bps = bps
        order(bps)
    }

    func wantKey() { order(.max) }

    private func order(_ number: UInt64) {
        broadcast?.send(content: withUnsafeBytes(of: number) { Data($0) }, completion: .idempotent)
    }

    private func accept(_ new: NWConnection) {
        broadcast?.cancel()
        broadcast = new
        new.start(queue: queue)
        Task { @MainActor [changed] in changed(true) }
        set(bps: bps)
        read(new)
    }

    private func read(_ from: NWConnection) {
        from.receive(minimumIncompleteLength: Picture.head, maximumLength: Picture.head) { [weak self] head, _, _, _ in
            guard let self, let (length, make) = head.flatMap(Picture.unpack) else { return self?.gone(from) ?? () }
            from.receive(minimumIncompleteLength: length, maximumLength: length) { [weak self] bytes, _, _, _ in
                guard let self, let bytes else { return self?.gone(from) ?? () }
                give(make(bytes))
                read(from)
            }
        }
    }

    private func gone(_ from: NWConnection) {
        guard broadcast === from else { return }
        broadcast = nil
        Task { @MainActor [changed] in changed(false) }
    }
}

/// The broadcast's end.
public final class AirlockDoor {
    private let connection: NWConnection?

    /// `order` is called on the queue with bits a second, or with the largest number for a key frame.
    public init(_ group: String, on queue: DispatchQueue, order: @escaping (UInt64) -> Void) {
        connection = airlock(group).map { NWConnection(to: .unix(path: $0), using: .tcp) }
        connection?.start(queue: queue)
        listen(order)
    }

    public func send(_ picture: Picture) { connection?.send(content: picture.packed, completion: .idempotent) }

    public func close() { connection?.cancel() }

    private func listen(_ order: @escaping (UInt64) -> Void) {
        connection?.receive(minimumIncompleteLength: 8, maximumLength: 8) { [weak self] bytes, _, _, _ in
            guard let bytes, bytes.count == 8 else { return }
            order(bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
            self?.listen(order)
        }
    }
}

extension Picture {
    static let head = 17

    /// Length, key, width, height and time, then the picture; both ends are on one phone.
    var packed: Data {
        var out = Data()
        withUnsafeBytes(of: UInt32(bytes.count)) { out.append(contentsOf: $0) }
        out.append(isKey ? 1 : 0)
        for side in [width, height] { withUnsafeBytes(of: side) { out.append(contentsOf: $0) } }
        withUnsafeBytes(of: capturedUs) { out.append(contentsOf: $0) }
        return out + bytes
    }

    /// How long the picture is, and how it is made of its bytes.
    static func unpack(_ head: Data) -> (Int, (Data) -> Picture)? {
        guard head.count == Self.head else { return nil }
        return head.withUnsafeBytes { head in
            let length = Int(head.loadUnaligned(as: UInt32.self))
            let (width, height) = (
                head.loadUnaligned(fromByteOffset: 5, as: UInt16.self), head.loadUnaligned(fromByteOffset: 7, as: UInt16.self)
            )
            let (isKey, time) = (head[4] == 1, head.loadUnaligned(fromByteOffset: 9, as: UInt64.self))
            guard length > 0, length <= 1 << 20 else { return nil }
            return (length, { Picture(bytes: $0, isKey: isKey, width: width, height: height, capturedUs: time) })
        }
    }
}
#endif
