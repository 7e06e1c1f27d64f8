/// Something a person may do about a call as it stands.
public enum CallChoice: Sendable, Hashable {
    /// Take it.
    case answer
    /// Not take it.
    case decline
    /// Switch the own microphone on or off.
    case microphone
    /// Show the camera, or no longer.
    case camera
    /// Share the screen, or no longer.
    case screen
    /// End it, or give up calling.
    case hangUp
}

extension CallView {
    /// What a person may do about it now, in the order in which it is shown; nothing once it is over.
    public var choices: [CallChoice] { state.choices(direction) }
}

extension StrangerCall {
    /// What a person may do about it now, in the order in which it is shown; nothing once it is over.
    public var choices: [CallChoice] { state.choices(direction) }
}

extension CallState {
    func choices(_ direction: CallDirection) -> [CallChoice] {
        switch (self, direction) {
        case (.ringing, .incoming): [.decline, .answer]
        case (.ringing, .outgoing): [.hangUp]
        case (.connecting, _): [.microphone, .hangUp]
        case (.connected, _), (.reconnecting, _): [.microphone, .camera, .screen, .hangUp]
        case (.ended, _): []
        }
    }
}

/// How a call sounds.
public enum CallQuality: Sendable, Hashable {
    /// As it should.
    case good
    /// Words are missed now and then, or one waits for the other.
    case fair
    /// Hard to understand.
    case poor
}

extension Diagnostics {
    /// How the call with a friend sounded since an earlier look, some seconds ago; nil while nothing was heard.
    ///
    /// From 3 % of the sound missing it is fair and from 10 % poor. A round trip of more than 300 ms is fair and of more than
    /// 800 ms poor: twice what ITU-T G.114 gives for one way.
    public func quality(since before: Diagnostics, with peer: UserId) -> CallQuality? {
        let link = links.first { $0.peer == .friend(user: peer) }
        return sound.quality(since: before.sound, roundTripMs: (link?.roundTripUs ?? 0) / 1_000)
    }
}

extension SoundFigures {
    func quality(since before: SoundFigures, roundTripMs: UInt64) -> CallQuality? {
        // Another call begins to count anew.
        func since(_ count: KeyPath<SoundFigures, UInt64>) -> Double {
            max(Double(self[keyPath: count]) - Double(before[keyPath: count]), 0)
        }
        let missing = max(since(\.framesLost) - since(\.framesRecovered), 0)
        let all = since(\.framesHeard) + missing
        guard all > 0 else { return nil }
        let share = missing / all
        if share >= 0.1 || roundTripMs > 800 { return .poor }
        return share >= 0.03 || roundTripMs > 300 ? .fair : .good
    }
}
