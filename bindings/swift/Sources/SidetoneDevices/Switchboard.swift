import Foundation
import Sidetone

/// What the system is told of calls, and what becomes of what the person does about them there. It opens nothing and knows no
/// clock: it is told what happened, and answers with orders, to be carried out one after the other.
///
/// A push wants a call reported before anybody knows whose it is. It rings without a name, and the first call that comes in takes
/// it over, with what the person did about it meanwhile; if none comes in time it ends by itself.
public struct Switchboard {
    /// What is to be done.
    public enum Order: Hashable, Sendable {
        /// Report a call that comes in. A call that the system has already is reported again after a further push, which wants a
        /// report too: that it exists already is no error then.
        case ring(UUID, name: String?)
        /// Say whose call it is that rings without a name.
        case name(UUID, String)
        /// Request the start of a call that goes out.
        case place(UUID, name: String)
        /// Request the answer to a call that was answered in the app.
        case answer(UUID)
        /// Report that who was called can be spoken to.
        case connected(UUID)
        /// Report the end.
        case end(UUID, Ending)
        /// Do this about a call, and fulfil the action that wanted it.
        case choose(CallChoice, CallId, action: UUID?)
        /// Fulfil an action: there is nothing to do for it.
        case fulfil(UUID)
        /// Let an action fail.
        case fail(UUID)
    }

    /// Why a call is over, as CallKit tells it apart.
    public enum Ending: Hashable, Sendable { case failed, remoteEnded, unanswered }

    /// What an action of the system wants.
    public enum Wish: Hashable, Sendable { case answer, end, mute(Bool) }

    private struct Line {
        let id: UUID
        let name: String
        var view: CallView
        /// Whether the system has it.
        var isKnown = true
        var isAnswered = false
        var isConnected = false
    }

    private struct Waiting {
        let id: UUID
        let last: ContinuousClock.Instant
        var until: ContinuousClock.Instant
        var answer: UUID?
        var isDeclined = false
    }

    private let patience: Duration
    private var lines: [Line] = []
    private var waiting: Waiting?
    private var isOnline = false

    /// A call that a push announced is waited for so long, and as long again from when the server was reached.
    public init(patience: Duration = .seconds(10)) { self.patience = patience }

    /// Whether the system has a call of ours, and so the sound.
    public var isBusy: Bool { waiting?.isDeclined == false || lines.contains(where: \.isKnown) }

    /// When it wants to be told that time has passed.
    public var deadline: ContinuousClock.Instant? { waiting?.until }

    /// A push came; `id` is new, for a call that is none of those that are known.
    public mutating func woken(by id: UUID, at now: ContinuousClock.Instant) -> [Order] {
        if let line = lines.first(where: \.isKnown) { return [.ring(line.id, name: line.name)] }
        if let waiting, !waiting.isDeclined { return [.ring(waiting.id, name: nil)] }
        waiting = Waiting(id: id, last: now + patience * 2, until: now + patience)
        return [.ring(id, name: nil)]
    }

    /// The server is reached, or no longer.
    public mutating func online(_ new: Bool, at now: ContinuousClock.Instant) {
        if new, !isOnline, var told = waiting {
            told.until = max(told.until, min(now + patience, told.last))
            waiting = told
        }
        isOnline = new
    }

    /// A call is new, or stands otherwise.
    public mutating func changed(_ view: CallView, name: String) -> [Order] {
        if let at = lines.firstIndex(where: { $0.view.call == view.call }) { return changed(at, view) }
        if view.state.isOver { return [] }
        var line = Line(id: UUID(view.call.hex), name: name, view: view)
        if view.direction == .outgoing {
            lines.append(line)
            return [.place(line.id, name: name)] + changed(lines.count - 1, view)
        }
        guard let told = waiting else {
            lines.append(line)
            return [.ring(line.id, name: name)] + changed(lines.count - 1, view)
        }
        waiting = nil
        line = Line(id: told.id, name: name, view: view, isKnown: !told.isDeclined, isAnswered: told.answer != nil)
        lines.append(line)
        if told.isDeclined { return choose(.decline, of: line, for: nil) }
        let answer = told.answer.map { choose(.answer, of: line, for: $0) } ?? []
        return [.name(line.id, name)] + answer + changed(lines.count - 1, view)
    }

    private mutating func changed(_ at: Int, _ view: CallView) -> [Order] {
        lines[at].view = view
        let line = lines[at]
        if case .ended(let reason) = view.state {
            lines.remove(at: at)
            return line.isKnown ? [.end(line.id, Ending(reason))] : []
        }
        guard line.isKnown, view.state != .ringing else { return [] }
        if line.view.direction == .incoming, !line.isAnswered {
            lines[at].isAnswered = true
            return [.answer(line.id)]
        }
        if line.view.direction == .outgoing, view.state == .connected, !line.isConnected {
            lines[at].isConnected = true
            return [.connected(line.id)]
        }
        return []
    }

    /// The person wants something of a call that the system has, by an action with an id of its own.
    public mutating func wished(_ wish: Wish, of call: UUID, by action: UUID) -> [Order] {
        if waiting?.id == call { return wishedBlind(wish, by: action) }
        guard let at = lines.firstIndex(where: { $0.id == call && $0.isKnown }) else {
            return [wish == .end ? .fulfil(action) : .fail(action)]
        }
        let line = lines[at]
        switch wish {
        case .answer:
            lines[at].isAnswered = true
            return choose(.answer, of: line, for: action)
        case .end:
            lines[at].isKnown = false
            return choose(.decline, .hangUp, of: line, for: action)
        case .mute(let isMuted):
            return (line.view.microphone == .off) == isMuted ? [.fulfil(action)] : choose(.microphone, of: line, for: action)
        }
    }

    /// Nobody knows yet whose call it is: what is wanted waits with it.
    private mutating func wishedBlind(_ wish: Wish, by action: UUID) -> [Order] {
        switch wish {
        case .answer:
            waiting?.answer = action
            return []
        case .end:
            let answer = waiting?.answer
            waiting?.answer = nil
            waiting?.isDeclined = true
            return (answer.map { [.fail($0)] } ?? []) + [.fulfil(action)]
        case .mute: return [.fail(action)]
        }
    }

    /// The system shows a call not after all, because of a rule of the person's. One that is spoken in was shown before.
    public mutating func hidden(_ call: UUID) {
        if waiting?.id == call { waiting = nil }
        if let at = lines.firstIndex(where: { $0.id == call && $0.view.state == .ringing }) { lines[at].isKnown = false }
    }

    /// The system lost every call, and what it wanted with them.
    public mutating func reset() -> [Order] {
        waiting = nil
        let lost = lines.filter(\.isKnown)
        for at in lines.indices { lines[at].isKnown = false }
        return lost.flatMap { choose(.decline, .hangUp, of: $0, for: nil) }
    }

    /// The deadline passed.
    public mutating func passed(_ now: ContinuousClock.Instant) -> [Order] {
        guard let told = waiting, now >= told.until else { return [] }
        waiting = nil
        if told.isDeclined { return [] }
        let ending: Ending = !isOnline ? .failed : told.answer == nil ? .unanswered : .remoteEnded
        return (told.answer.map { [.fail($0)] } ?? []) + [.end(told.id, ending)]
    }

    /// Chooses the first of these that the call offers.
    private func choose(_ choices: CallChoice..., of line: Line, for action: UUID?) -> [Order] {
        if let choice = line.view.choices.first(where: choices.contains) { return [.choose(choice, line.view.call, action: action)] }
        return action.map { [.fulfil($0)] } ?? []
    }
}

extension Switchboard.Ending {
    init(_ reason: CallEnd) {
        switch reason {
        case .missed, .unanswered: self = .unanswered
        case .unreachable, .connectionLost, .peerForgot, .notTrusted: self = .failed
        case .hungUp, .peerHungUp, .declined, .peerDeclined, .peerBusy, .cancelled, .merged, .signedOut: self = .remoteEnded
        }
    }
}

extension UUID {
    /// The sixteen bytes of one of Sidetone's ids.
    init(_ hex: String) {
        let digits = Array(hex)
        let groups = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0.clamped(to: 0..<digits.count)]) }
        self = UUID(uuidString: groups.joined(separator: "-")) ?? UUID()
    }
}
