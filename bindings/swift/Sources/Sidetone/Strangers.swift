import Foundation

/// Random chat with somebody unknown: one at a time, without an account, in memory only. What is done "with the stranger"
/// fails with the code `noSuchMatch` when there is none any more.
public struct Strangers: Sendable {
    let client: Client

    /// Where the user is among strangers.
    public var view: Latest<StrangerView> { client.board.stranger }

    /// The stranger one is with.
    public var stranger: Stranger? { client.board.stranger.value.stranger }

    /// What happens, as hints without content, from now on.
    public var events: AsyncStream<StrangerEvent> {
        client.told.stream { if case .stranger(let event) = $0 { event } else { nil } }
    }

    /// Looks for a stranger; returns once the server took the search. A task cancelled meanwhile ends the search.
    public func enter(_ entry: StrangerEntry) async throws {
        do {
            _ = try await client.raw.enterStrangers(entry: entry).value
        } catch let error as SidetoneError where error.code == .cancelled {
            // Outside the task that is cancelled; a client that is closed has ended it already.
            _ = await Task.detached { [client] in try? await client.raw.endStranger() }.value
            throw error
        }
    }

    /// How many wait or talk now, as the server counts them.
    public func active() async throws -> UInt64 { try await client.raw.activeStrangers() }

    /// Takes the stranger that was found, where the entry said to ask.
    public func accept() async throws {
        guard case .found(let found, _, _, _) = view.value else { throw SidetoneError.nobody }
        try await client.raw.acceptStranger(found: found)
    }

    /// On to the next one.
    @discardableResult
    public func skip() async throws -> BurnReport { try await client.raw.skipStranger() }

    /// Leaves the stranger, or the search. Everything about it is erased when this returns.
    @discardableResult
    public func end() async throws -> BurnReport { try await client.raw.endStranger() }

    /// On to the next one, and never this one again today.
    @discardableResult
    public func block() async throws -> BurnReport { try await client.raw.blockStranger() }

    /// Tells the operator what was wrong with a stranger, up to 30 s after it ended; with texts only before.
    public func report(_ id: MatchId, _ reason: ReportReason, texts: [UInt64] = []) async throws {
        try await client.raw.reportStranger(id: id, reason: reason, texts: texts)
    }

    /// Asks for the stranger again from whom we parted; if they do too within 30 s, both meet.
    public func again(_ id: MatchId, _ entry: StrangerEntry) async throws {
        try await client.raw.strangerAgain(id: id, entry: entry)
    }

    /// Says something; gives its number in the conversation.
    @discardableResult
    public func say(_ text: String) async throws -> UInt64 { try await client.raw.sayToStranger(id: id(), text: text) }

    /// The user is writing.
    public func typing() async throws { try await client.raw.typingToStranger(id: id()) }

    /// Sends a JPEG or PNG of at most 1 MiB, without what it says about where and how it was taken.
    @discardableResult
    public func sendImage(_ image: Data) async throws -> UInt64 {
        try await client.raw.sendImageToStranger(id: id(), image: image)
    }

    /// Ends a voice note and sends it.
    @discardableResult
    public func sendNote(_ note: VoiceNote) async throws -> UInt64 {
        try await client.raw.sendNoteToStranger(id: id(), note: note.raw)
    }

    /// Whether the stranger may learn this device's address: to be asked of the user. Direct once both want it.
    public func setDirect(_ direct: Bool) async throws {
        try await client.raw.setDirectToStranger(id: id(), direct: direct)
    }

    /// Agrees on four words with the stranger; they show in `Stranger.words` a moment later.
    public func compareWords() async throws { try await client.raw.compareWordsWithStranger(id: id()) }

    /// What was said from a number on, oldest first; nothing once it is over.
    public func messages(from number: UInt64 = 0) async throws -> [StrangerMessage] {
        guard let stranger else { return [] }
        return try await client.raw.strangerMessages(id: stranger.id, from: number)
    }

    /// Looks no more at something the stranger sent: it is erased here, and they are not told.
    public func hide(_ number: UInt64) async throws {
        try await client.raw.hideStrangerMessage(id: id(), number: number)
    }

    /// An image that is here whole, decoded by the library.
    public func image(_ number: UInt64) async throws -> StrangerImage {
        try await client.raw.strangerImage(id: id(), number: number)
    }

    /// The sound file of a voice note that is here whole.
    public func note(_ number: UInt64) async throws -> Data { try await client.raw.strangerNote(id: id(), number: number) }

    /// Calls the stranger.
    @discardableResult
    public func call() async throws -> CallId { try await client.raw.callStranger(id: id()) }

    /// Takes the stranger's call.
    public func answer() async throws { try await client.raw.answerStranger(call: callId()) }

    /// Declines the stranger's call.
    public func decline() async throws { try await client.raw.declineStranger(call: callId()) }

    /// Ends the call; the stranger stays.
    public func hangUp() async throws { try await client.raw.hangUpStranger(call: callId()) }

    /// Lets the stranger hear us, or not.
    public func setMicrophone(_ state: MicrophoneState) async throws {
        try await client.raw.setStrangerMicrophone(call: callId(), state: state)
    }

    /// Plays what the stranger says, or not: they are not told.
    public func setHearing(_ state: HearingState) async throws {
        try await client.raw.setStrangerHearing(call: callId(), state: state)
    }

    /// Shows the stranger the camera, or no longer; frames go through `Client.video`.
    public func setCamera(_ on: Bool) async throws { try await client.raw.showCamera(call: callId(), on: on) }

    /// Shares the screen with the stranger, with what is on it, or no longer: nil.
    public func setScreenShare(_ content: ScreenContent?) async throws {
        try await client.raw.showScreen(call: callId(), screen: content)
    }

    /// Tells the stranger how large their pictures are of use here, in lines; 0 for none at all.
    public func want(camera: UInt16 = .max, screen: UInt16 = .max) async throws {
        try await client.raw.want(call: callId(), wants: Wants(camera: camera, screen: screen))
    }

    private func id() throws -> MatchId {
        guard let stranger else { throw SidetoneError.nobody }
        return stranger.id
    }

    private func callId() throws -> CallId {
        guard let call = stranger?.call else { throw SidetoneError.gone(.noSuchCall, "no such call") }
        return call.call
    }
}

extension StrangerView {
    var stranger: Stranger? {
        if case .with(let stranger) = self { stranger } else { nil }
    }
}

extension SidetoneError {
    fileprivate static var nobody: SidetoneError { gone(.noSuchMatch, "no such match") }
}
