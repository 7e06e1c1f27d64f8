extension CallView {
    /// What a person may do about it now, in the order in which it is shown; nothing once it is over.
    public var choices: [CallChoice] { callChoices(view: self) }
}

extension StrangerCall {
    /// What a person may do about it now, in the order in which it is shown; nothing once it is over.
    public var choices: [CallChoice] { strangerChoices(call: self) }
}

extension Diagnostics {
    /// How the call with a friend sounded since an earlier look, some seconds ago; nil while nothing was heard.
    ///
    /// From 3 % of the sound missing it is fair and from 10 % poor. A round trip of more than 300 ms is fair and of more than
    /// 800 ms poor: twice what ITU-T G.114 gives for one way.
    public func quality(since before: Diagnostics, with peer: UserId) -> CallQuality? {
        callQuality(before: before, now: self, peer: peer)
    }
}
