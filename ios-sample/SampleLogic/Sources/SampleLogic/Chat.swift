import Observation
import Sidetone

/// An entry of a conversation, with its file if it has one.
public struct Bubble: Hashable, Sendable, Identifiable {
    public let message: Message
    public let transfer: Transfer?
    public let preview: FilePreview?
    public var id: UInt64 { message.position }
}

/// Something a person may do about a file.
public enum FileChoice: Hashable, Sendable { case take, decline, pause, resume, giveUp, open, play }

@MainActor @Observable
public final class ChatLogic: Logic {
    public private(set) var friend: Friend?
    public private(set) var isLoading = true
    /// Newest first.
    public private(set) var bubbles: [Bubble] = []
    public var draft = ""
    public private(set) var isTyping = false
    /// The voice note that is spoken.
    public private(set) var note: NoteView?
    public let peer: UserId
    @ObservationIgnored private let client: Client
    @ObservationIgnored private let device: any Device
    @ObservationIgnored private let chat: Chat
    @ObservationIgnored private var spoken: VoiceNote?
    @ObservationIgnored private var typings = 0

    init(_ client: Client, _ device: any Device, _ peer: UserId) {
        (self.client, self.device, self.peer) = (client, device, peer)
        chat = client.chat(with: peer)
        super.init()
        follow(client.friends.values) { [weak self] all in self?.friend = all.first { $0.user == peer } }
        follow(chat.latest(limit: 100)) { [weak self] in await self?.show($0) }
        follow(client.events) { [weak self] in if case .transfer(let now) = $0 { self?.moved(now) } }
        follow(chat.typists) { [weak self] in self?.theyType() }
        every(.milliseconds(200)) { [weak self] in self?.note = self?.spoken?.view }
    }

    public var name: String { friend?.name ?? "" }

    /// Brings back what the user had begun to write.
    public func begin() async {
        await attempt { draft = try await client.chats().first { $0.peer == peer }?.draft ?? draft }
    }

    /// The text in the field changed.
    public func typed() async {
        let text = draft
        await attempt {
            try await chat.setDraft(text)
            if !text.isEmpty { try await chat.typing() }
        }
    }

    public func send() async {
        let text = draft
        guard !text.allSatisfy(\.isWhitespace) else { return }
        await attempt {
            try await chat.send(text)
            draft = ""
            try await chat.setDraft("")
        }
    }

    public func sendImage(_ path: String) async { await attempt { _ = try await chat.sendImage(path) } }
    public func sendFile(_ path: String, mime: String) async { await attempt { _ = try await chat.sendFile(path, mime: mime) } }

    public func retry(_ message: Message) async {
        await attempt { if let id = message.id { try await chat.retry(id) } }
    }

    public func react(_ message: Message, _ emoji: String) async {
        await attempt { if let id = message.id { try await chat.react(to: id, emoji) } }
    }

    public func takeBack(_ message: Message) async {
        await attempt { if let id = message.id { try await chat.takeBack(id) } }
    }

    /// Does what was chosen about a file; `open` is the app's to do.
    public func choose(_ choice: FileChoice, _ file: Transfer) async {
        await attempt {
            switch choice {
            case .take: try await client.acceptFile(file.transfer)
            case .decline: try await client.declineFile(file.transfer)
            case .pause: try await client.pauseFile(file.transfer)
            case .resume: try await client.resumeFile(file.transfer)
            case .giveUp: try await client.cancelFile(file.transfer)
            case .play: if let path = file.path { device.play(path) }
            case .open: break
            }
        }
    }

    /// Begins to record a voice note, once the microphone is allowed.
    public func record() async {
        await with(.microphone, of: device) {
            let new = try VoiceNote()
            try device.record(into: new)
            (spoken, note) = (new, new.view)
        }
    }

    public func sendNote() async {
        guard let done = stop() else { return }
        await attempt { _ = try await chat.sendVoiceNote(done) }
    }

    public func dropNote() { _ = stop() }

    public override func close() {
        dropNote()
        super.close()
    }

    private func stop() -> VoiceNote? {
        guard let done = spoken else { return nil }
        device.stopRecording()
        (spoken, note) = (nil, nil)
        return done
    }

    private func show(_ messages: [Message]) async {
        let known = Dictionary(bubbles.map { ($0.id, $0.preview) }, uniquingKeysWith: { $1 })
        var new: [Bubble] = []
        for message in messages {
            guard case .file(let file, _, _, _, _) = message.content else {
                new.append(Bubble(message: message, transfer: nil, preview: nil))
                continue
            }
            let seen = known[message.position] ?? nil
            let transfer = try? await chat.transfer(file)
            let preview = if let seen { seen } else { try? await chat.preview(file) }
            new.append(Bubble(message: message, transfer: transfer, preview: preview))
        }
        (bubbles, isLoading) = (new, false)
        await refresh { try await chat.markRead() }
    }

    private func moved(_ now: Transfer) {
        bubbles = bubbles.map {
            guard case .file(now.transfer, _, _, _, _) = $0.message.content else { return $0 }
            return Bubble(message: $0.message, transfer: now, preview: $0.preview)
        }
    }

    private func theyType() {
        (isTyping, typings) = (true, typings + 1)
        let this = typings
        Task { [weak self] in
            try? await Task.sleep(for: .seconds(5))
            if self?.typings == this { self?.isTyping = false }
        }
    }
}

extension Message {
    /// What is said of it, where it is more than a text.
    public var words: Phrase? {
        switch content {
        case .text: nil
        case .file(_, _, _, _, .voiceNote): Phrase(.voiceNote)
        case .file(_, let name, _, _, _): Phrase(.plain, .text(name))
        case .call(_, _, let talkedMs?): Phrase(.callLasted, .seconds(talkedMs / 1_000))
        case .call: Phrase(.endMissed)
        case .timer: Phrase(.timerChanged)
        case .deleted: Phrase(.takenBack)
        case .expired: Phrase(.expired)
        }
    }

    /// How far it got; nothing for theirs.
    public var mark: Word? {
        switch state {
        case .queued: .messageQueued
        case .sent: .messageSent
        case .delivered: .messageDelivered
        case .read: .messageRead
        case .failed: .messageFailed
        case .received, .expired: nil
        }
    }
}

extension Transfer {
    public var words: Phrase {
        switch stage {
        case .offered: Phrase(.fileOffered)
        case .waiting: Phrase(.fileWaiting)
        case .moving: Phrase(.fileMoving, .bytes(done), .bytes(size))
        case .pausedByUs, .pausedByThem: Phrase(.filePaused)
        case .pausedForSpace: Phrase(.fileSpace)
        case .received: Phrase(.plain, .text(name))
        case .failed: Phrase(.fileFailed)
        }
    }

    /// Between 0 and 1 while it is on its way.
    public var progress: Double? {
        switch stage {
        case .moving, .pausedByUs, .pausedByThem, .pausedForSpace: size == 0 ? 1 : Double(done) / Double(size)
        case .offered, .waiting, .received, .failed: nil
        }
    }

    public var choices: [FileChoice] {
        switch stage {
        case .offered: ours ? [.giveUp] : [.take, .decline]
        case .waiting, .pausedByThem: [.giveUp]
        case .moving: [.pause, .giveUp]
        case .pausedByUs, .pausedForSpace: [.resume, .giveUp]
        case .received: kind == .voiceNote ? [.play] : [.open]
        case .failed: []
        }
    }
}

extension FileChoice {
    public var word: Word {
        switch self {
        case .take: .accept
        case .decline: .decline
        case .pause: .pause
        case .resume: .goOn
        case .giveUp: .stop
        case .open: .chatOpen
        case .play: .play
        }
    }
}
