import Foundation
import Observation
import Sidetone

/// What is left of a stranger: whom a report would name, for 30 seconds, and what was erased.
public struct Parting: Hashable, Sendable {
    public let id: MatchId
    public let burned: BurnReport
    public internal(set) var isReported = false

    /// What there was, and how much of it was erased.
    public var counts: [(what: Word, erased: Phrase)] {
        func count(_ part: KeyPath<HeldCount, UInt32>) -> Phrase {
            Phrase(.ofCount, .number(UInt64(burned.erased[keyPath: part])), .number(UInt64(burned.held[keyPath: part])))
        }
        return [
            (.burnTexts, count(\.texts)), (.burnImages, count(\.images)), (.burnNotes, count(\.notes)),
            (.burnKeys, count(\.keys)), (.burnLinks, count(\.links)),
        ]
    }
}

@MainActor @Observable
public final class StrangersLogic: Logic {
    public private(set) var view: StrangerView
    public var nickname: String
    public var interests = ""
    public var media = StrangerMedia.text
    /// The person says to be of age.
    public var isAdult = false
    /// How many are there now.
    public private(set) var active: UInt64?
    /// Oldest first.
    public private(set) var messages: [StrangerMessage] = []
    public var draft = ""
    public private(set) var isTyping = false
    public private(set) var parting: Parting?
    public private(set) var outcome: Word?
    @ObservationIgnored private let strangers: Strangers
    @ObservationIgnored private let device: any Device
    @ObservationIgnored private let memory: Memory

    init(_ client: Client, _ device: any Device, _ memory: Memory) {
        (strangers, self.device, self.memory) = (client.strangers, device, memory)
        view = client.strangers.view.value
        nickname = memory.nickname
        super.init()
        follow(strangers.view.values) { [weak self] in self?.show($0) }
        follow(strangers.events) { [weak self] in await self?.note($0) }
    }

    public var isReady: Bool { isAdult && !nickname.isEmpty }

    public var stranger: Stranger? { if case .with(let stranger) = view { stranger } else { nil } }

    /// What may be done about the stranger's call.
    public var choices: [CallChoice] { stranger?.call?.choices ?? [] }

    public func search() async {
        memory.nickname = nickname
        (parting, outcome) = (nil, nil)
        let words = interests.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
        let entry = StrangerEntry(
            nickname: nickname, language: device.language, interests: words, media: media, adult: isAdult)
        await attempt { try await strangers.enter(entry) }
    }

    /// Asks how many are there.
    public func countActive() async { await refresh { active = try await strangers.active() } }

    public func accept() async { await attempt { try await strangers.accept() } }
    public func skip() async { await attempt { _ = try await strangers.skip() } }
    public func end() async { await attempt { _ = try await strangers.end() } }
    public func block() async { await attempt { _ = try await strangers.block() } }

    public func report(_ id: MatchId, _ reason: ReportReason) async {
        await attempt {
            try await strangers.report(id, reason)
            if parting?.id == id { parting?.isReported = true }
        }
    }

    public func say() async {
        let text = draft
        await attempt {
            _ = try await strangers.say(text)
            draft = ""
            messages = try await strangers.messages()
        }
    }

    /// The text in the field changed.
    public func typed() async { if !draft.isEmpty { await refresh { try await strangers.typing() } } }

    /// Looks no more at something that the stranger sent.
    public func hide(_ message: StrangerMessage) async {
        await attempt {
            try await strangers.hide(message.number)
            messages = try await strangers.messages()
        }
    }

    /// Plays what the stranger says, or not; they are not told.
    public func hear(_ on: Bool) async { await attempt { try await strangers.setHearing(on ? .on : .off) } }

    public func setDirect(_ direct: Bool) async { await attempt { try await strangers.setDirect(direct) } }

    public func compareWords() async { await attempt { try await strangers.compareWords() } }

    public func call() async { await with(.microphone, of: device) { _ = try await strangers.call() } }

    public func choose(_ choice: CallChoice) async {
        switch choice {
        case .answer: await with(.microphone, of: device) { try await strangers.answer() }
        case .decline: await attempt { try await strangers.decline() }
        case .hangUp: await attempt { try await strangers.hangUp() }
        case .microphone:
            let other = stranger?.call?.microphone.other
            await attempt { try await strangers.setMicrophone(other ?? .off) }
        case .camera, .screen: break
        }
    }

    private func show(_ now: StrangerView) {
        view = now
        if stranger == nil { (messages, draft) = ([], "") }
    }

    private func note(_ event: StrangerEvent) async {
        switch event {
        case .message:
            isTyping = false
            await refresh { messages = try await strangers.messages() }
        case .typing: isTyping = true
        case .ended(let id, let reason, let burned): (parting, outcome, isTyping) = (Parting(id: id, burned: burned), reason.word, false)
        case .notFound(let reason): outcome = reason.word
        default: break
        }
    }
}

extension StrangerMessage {
    /// Its text, or what it is.
    public var words: Phrase {
        switch content {
        case .text(let text): Phrase(.plain, .text(text))
        case .image: Phrase(.anImage)
        case .voiceNote(let durationMs, _, _): Phrase(.plain, .seconds(UInt64(durationMs / 1_000)))
        }
    }
}

extension StrangerEnd {
    var word: Word {
        switch self {
        case .weLeft, .closed: .partedWe
        case .theyLeft: .partedThey
        case .blocked: .partedBlocked
        case .unreachable, .lost: .partedLost
        case .imposter: .partedImposter
        }
    }
}

extension SearchFailure {
    var word: Word? {
        switch self {
        case .left: nil
        case .nobody, .tooLate: .searchNobody
        case .notAgain: .searchNotAgain
        case .refused: .searchRefused
        }
    }
}

extension ReportReason {
    public static let all: [ReportReason] = [.bot, .spam, .abuse, .nudity, .minor, .other]

    public var word: Word {
        switch self {
        case .bot: .reportBot
        case .spam: .reportSpam
        case .abuse: .reportAbuse
        case .nudity: .reportNudity
        case .minor: .reportMinor
        case .other: .reportOther
        }
    }
}
