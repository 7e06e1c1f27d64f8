extension SimWorld {
    /// Lets so much time pass.
    public func advance(_ time: Duration) throws { try advance(ms: time.milliseconds) }

    /// A phone has no network for so long, and another one afterwards.
    public func handOver(_ phone: UInt32, for time: Duration) throws { try handOver(phone: phone, ms: time.milliseconds) }

    /// A phone sleeps: nothing reaches it until it wakes.
    public func sleep(_ phone: UInt32, for time: Duration) throws { try sleep(phone: phone, ms: time.milliseconds) }

    /// Nothing passes directly between phones for so long.
    public func outage(_ time: Duration) throws { try outage(ms: time.milliseconds) }

    /// The server dies, and is back after a while with its store.
    public func crashServer(for time: Duration) throws { try crashServer(ms: time.milliseconds) }
}

extension Duration {
    var milliseconds: UInt64 { UInt64(max(components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000, 0)) }
}
