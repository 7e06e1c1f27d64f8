/// The conversation with one friend.
public struct Chat: Sendable {
    /// With whom.
    public let peer: UserId
    let client: Client

    /// Says something, now or when the friend is there, and gives its place. Once this returns it arrives once.
    @discardableResult
    public func send(_ text: String) async throws -> UInt64 { try await client.raw.sendText(peer: peer, text: text) }

    /// The same, in answer to a message of either.
    @discardableResult
    public func reply(to message: MessageId, _ text: String) async throws -> UInt64 {
        try await client.raw.reply(peer: peer, to: message, text: text)
    }

    /// Gives a text of ours other words, on both phones.
    public func edit(_ message: MessageId, _ text: String) async throws {
        try await client.raw.edit(peer: peer, message: message, text: text)
    }

    /// Takes a message of ours back, on both phones.
    public func takeBack(_ message: MessageId) async throws {
        try await client.raw.takeBack(peer: peer, message: message)
    }

    /// Says what we think of a message: all of it, in place of what we thought before.
    public func react(to message: MessageId, _ emoji: String...) async throws {
        try await client.raw.react(peer: peer, message: message, emoji: emoji)
    }

    /// Sends again what was not delivered.
    public func retry(_ message: MessageId) async throws { try await client.raw.retry(peer: peer, message: message) }

    /// Chooses how many seconds messages written from now on stay; the shorter of both wishes counts, nil is for ever.
    public func setTimer(seconds: UInt32?) async throws { try await client.raw.setTimer(peer: peer, stayS: seconds) }

    /// Keeps what the user began to write; nothing when it is empty.
    public func setDraft(_ text: String) async throws { try await client.raw.setDraft(peer: peer, text: text) }

    /// Chooses where the conversation is kept from now on.
    public func setStorage(_ rule: StorageRule) async throws { try await client.raw.setStorage(peer: peer, rule: rule) }

    /// Offers a file, which must stay where it is, as it is, until the transfer is over. Cancelling ends the wait at once.
    @discardableResult
    public func sendFile(_ path: String, mime: String = "application/octet-stream") async throws -> TransferId {
        try await offered(client.raw.sendFile(peer: peer, path: path, mime: mime))
    }

    /// Offers a JPEG or PNG with a small picture to show at once.
    @discardableResult
    public func sendImage(_ path: String, origin: ImageOrigin = .remove) async throws -> TransferId {
        try await offered(client.raw.sendImage(peer: peer, path: path, origin: origin))
    }

    /// Ends a voice note and offers it. It is sent once: the code `noteEmpty` for one that was sent or in which nothing is.
    @discardableResult
    public func sendVoiceNote(_ note: VoiceNote) async throws -> TransferId {
        try await offered(client.raw.sendVoiceNote(peer: peer, note: note.raw))
    }

    private func offered(_ operation: PendingOperation) async throws -> TransferId {
        guard case .transfer(let transfer) = try await operation.value else {
            preconditionFailure("an offer ends with a transfer")
        }
        return transfer
    }

    /// One transfer with the friend, also of the past.
    public func transfer(_ id: TransferId) async throws -> Transfer? {
        try await client.raw.transfer(peer: peer, transfer: id)
    }

    /// What is shown of a file before it is here.
    public func preview(_ id: TransferId) async throws -> FilePreview {
        try await client.raw.preview(peer: peer, transfer: id)
    }

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
        client.told.stream { [peer] in $0 == .typing(peer: peer) ? () : nil }
    }

    private func concerns(_ event: Event) -> Bool {
        switch event {
        case .message(let peer, _), .marks(let peer), .amended(let peer, _): peer == self.peer
        case .refresh: true
        default: false
        }
    }
}
