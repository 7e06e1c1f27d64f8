import Foundation
import Observation
import Sidetone

/// What is left of a stranger: whom a report would name, for 30 seconds, and what was erased.
public struct Parting: Hashable, Sendable {
    public let id: MatchId
    public let burned: BurnReport

    public var words: Phrase {
        let erased = burned.erased
        return Phrase(
            .strangersBurned, .number(UInt64(erased.texts + erased.images + erased.notes)), .number(UInt64(erased.keys)),
            .number(UInt64(erased.links)), .number((burned.tookUs ?? 0) / 1_000))
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
    public private(set) var understood: Bool
    /// How many are there now.
    public private(set) var active: UInt64?
    /// Oldest first.
    public private(set) var messages: [StrangerMessage] = []
    public var draft = ""
    public private(set) var parting: Parting?
    public private(set) var outcome: Word?
    @ObservationIgnored private let strangers: Strangers
    @ObservationIgnored private let device: any Device
    @ObservationIgnored private let memory: Memory

    init(_ client: Client, _ device: any Device, _ memory: Memory) {
        (strangers, self.device, self.memory) = (client.strangers, device, memory)
        view = client.strangers.view.value
        (nickname, understood) = (memory.nickname, memory.understood)
        super.init()
        follow(strangers.view.values) { [weak self] in self?.show($0) }
        follow(strangers.events) { [weak self] in await self?.note($0) }
    }

    public var isReady: Bool { isAdult && understood && !nickname.isEmpty }

    public var stranger: Stranger? { if case .with(let stranger) = view { stranger } else { nil } }

    /// What may be done about the stranger's call.
    public var choices: [CallChoice] { stranger?.call?.choices ?? [] }

    public func understand() {
        memory.understood = true
        understood = true
    }

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
            outcome = .reported
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
        case .message: await refresh { messages = try await strangers.messages() }
        case .ended(let id, let reason, let burned): (parting, outcome) = (Parting(id: id, burned: burned), reason.word)
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
