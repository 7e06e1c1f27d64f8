import Foundation

/// NAL units as calls carry them, each behind a start code (Annex B of H.264), and as Apple's encoders and decoders want them,
/// each behind its length in four bytes.
public enum H264 {
    private static let code = Data([0, 0, 0, 1])

    /// What an encoder gave, after the parameter sets with which a key frame begins.
    public static func annexB(_ lengthed: Data, after sets: [Data] = []) -> Data {
        var out = sets.reduce(into: Data()) { $0 += code + $1 }
        var rest = lengthed[...]
        while rest.count > 4 {
            let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            guard length > 0, length <= rest.count - 4 else { break }
            out += code + rest.dropFirst(4).prefix(length)
            rest = rest.dropFirst(4 + length)
        }
        return out
    }

    /// The units between the start codes.
    public static func units(_ annexB: Data) -> [Data] {
        var (units, zeros, begin) = ([Data](), 0, Int?.none)
        for at in annexB.indices {
            switch annexB[at] {
            case 0: zeros += 1
            case 1 where zeros >= 2:
                if let begin, begin < at - zeros { units.append(annexB[begin..<at - zeros]) }
                (begin, zeros) = (at + 1, 0)
            default: zeros = 0
            }
        }
        if let begin, begin < annexB.endIndex - zeros { units.append(annexB[begin..<annexB.endIndex - zeros]) }
        return units
    }

    /// The parameter sets among units, and the others as a decoder wants them.
    public static func split(_ units: [Data]) -> (sets: [Data], picture: Data) {
        var (sets, picture) = ([Data](), Data())
        for unit in units {
            // The type in the low five bits: 7 and 8 are the sequence's and the picture's parameters.
            if let type = unit.first.map({ $0 & 31 }), type == 7 || type == 8 {
                sets.append(unit)
            } else {
                let length = UInt32(clamping: unit.count)
                picture += (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) } + unit
            }
        }
        return (sets, picture)
    }
}
