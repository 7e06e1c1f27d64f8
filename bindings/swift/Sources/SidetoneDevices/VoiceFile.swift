import Foundation

/// Voice notes are Opus in Ogg, a container that Apple's players do not read; they read the same packets in a CAF.
public enum VoiceFile {
    /// The note for `AVAudioPlayer`; nil for what is no note of one channel. What a peer sent is not believed: the packets are
    /// as they came, and whoever decodes them must refuse wrong ones.
    public static func caf(_ ogg: Data) -> Data? {
        guard let (packets, end) = packets([UInt8](ogg)), packets.count > 2 else { return nil }
        let head = packets[0]
        guard head.count >= 19, head.starts(with: Array("OpusHead".utf8)), head[9] == 1 else { return nil }
        let (skip, sound) = (Int64(head[10]) | Int64(head[11]) << 8, packets[2...])
        let frames = Int64(sound.count) * 960
        guard end > skip, end <= frames else { return nil }

        var description = Data()
        append(&description, Double(48_000).bitPattern)
        description += Array("opus".utf8)
        // No flags, packets of any length and of 960 frames, one channel.
        for number: UInt32 in [0, 0, 960, 1, 0] { append(&description, number) }

        var table = Data()
        append(&table, UInt64(sound.count))
        append(&table, UInt64(end - skip))
        append(&table, UInt32(skip))
        append(&table, UInt32(frames - end))
        for packet in sound { table += length(packet.count) }

        var file = Data("caff".utf8) + [0, 1, 0, 0]
        chunk(&file, "desc", description)
        chunk(&file, "pakt", table)
        chunk(&file, "data", sound.reduce(into: Data(count: 4)) { $0 += $1 })
        return file
    }

    /// The packets of the pages (RFC 3533), and where the last page says that the sound ends.
    private static func packets(_ ogg: [UInt8]) -> (packets: [[UInt8]], end: Int64)? {
        var (packets, open, at, end) = ([[UInt8]](), [UInt8](), 0, Int64(0))
        while at < ogg.count {
            guard ogg.count - at >= 27, ogg[at..<at + 4].elementsEqual("OggS".utf8), ogg[at + 4] == 0 else { return nil }
            let granule = (0..<8).reduce(UInt64(0)) { $0 | UInt64(ogg[at + 6 + $1]) << (8 * $1) }
            end = Int64(truncatingIfNeeded: granule)
            let segments = Int(ogg[at + 26])
            var body = at + 27 + segments
            guard body <= ogg.count else { return nil }
            for segment in ogg[at + 27..<body] {
                guard body + Int(segment) <= ogg.count else { return nil }
                open += ogg[body..<body + Int(segment)]
                body += Int(segment)
                if segment < 255 {
                    packets.append(open)
                    open = []
                }
            }
            at = body
        }
        return open.isEmpty ? (packets, end) : nil
    }

    private static func append(_ data: inout Data, _ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.bigEndian) { data.append(contentsOf: $0) }
    }

    /// Seven bits in each byte, the high ones first.
    private static func length(_ count: Int) -> [UInt8] {
        let low = UInt8(count & 127)
        return count < 128 ? [low] : length(count >> 7).map { $0 | 128 } + [low]
    }

    private static func chunk(_ file: inout Data, _ type: String, _ body: Data) {
        file += Array(type.utf8)
        append(&file, UInt64(body.count))
        file += body
    }
}
