/// The conversation with one friend.
public struct Chat: Sendable {
    /// With whom.
    public let peer: UserId
    let client: Client

    /// Says something, now or when the friend is there, and gives its place. Once this returns it arrives once.
    @discardableResult
    public func send(_ text: String) async throws -> UInt64 { try await client.raw.sendText(peer: peer, text: text) }

    /// Up to `limit` (at most 500) messages before a position, newest first.
    public func history(limit: UInt32 = 50, before: UInt64? = nil) async throws -> [Message] {
        try await client.raw.history(peer: peer, before: before, limit: limit)
    }

    /// The user has seen everything the friend sent.
    public func markRead() async throws { try await client.raw.markRead(peer: peer) }

    /// The user is writing.
    public func typing() async throws { try await client.raw.typing(peer: peer) }

    /// The newest messages, again whenever something about them changes; ends when the client is closed.
    public func latest(limit: UInt32 = 50) -> AsyncStream<[Message]> {
        let events = client.events
        let (stream, reader) = AsyncStream<[Message]>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let watch = Task {
            if let now = try? await history(limit: limit) { reader.yield(now) }
            for await event in events where concerns(event) {
                guard let now = try? await history(limit: limit) else { break }
                reader.yield(now)
            }
            reader.finish()
        }
        reader.onTermination = { _ in watch.cancel() }
        return stream
    }

    /// Each time the friend is seen writing.
    public var typists: AsyncStream<Void> {
        let events = client.events
        let (stream, reader) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let watch = Task {
            for await event in events where event == .typing(peer: peer) { reader.yield() }
            reader.finish()
        }
        reader.onTermination = { _ in watch.cancel() }
        return stream
    }

    private func concerns(_ event: Event) -> Bool {
        switch event {
        case .message(let peer, _), .marks(let peer): peer == self.peer
        case .refresh: true
        default: false
        }
    }
}
