/// Brings sound of any rate to 48 kHz and 16 bit, along straight lines. For one audio thread: it allocates nothing.
public struct Ramp {
    private var last: Float = 0
    private var at = 0.0

    public init() {}

    /// Gives what becomes of these samples to `give`, in pieces that fit into the room.
    public mutating func push(
        _ samples: UnsafeBufferPointer<Float>, rate: Double, room: UnsafeMutableBufferPointer<Int16>,
        give: (UnsafeRawBufferPointer) -> Void
    ) {
        guard rate > 0, !room.isEmpty else { return }
        let step = rate / 48_000
        var filled = 0
        for sample in samples {
            while at < 1 {
                let value = last + (sample - last) * Float(at)
                room[filled] = Int16(max(-1, min(1, value)) * 32_767)
                filled += 1
                at += step
                if filled == room.count {
                    give(UnsafeRawBufferPointer(room))
                    filled = 0
                }
            }
            at -= 1
            last = sample
        }
        if filled > 0 { give(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<(filled * 2)])) }
    }
}
