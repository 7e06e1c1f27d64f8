import Foundation
import Sidetone

/// Who is added as a friend: by name alone, or with the key that came by link or QR code and is pinned.
public struct Invitation: Hashable, Sendable {
    public let name: String
    public let key: PublicKey?

    private static let head = "sidetone:friend/"

    public init(of account: AccountView) { (name, key) = (account.name, account.key) }

    static func isOne(_ text: String) -> Bool { text.trimmingCharacters(in: .whitespacesAndNewlines).lowercased().hasPrefix(head) }

    /// What was typed, pasted or scanned.
    public init(_ text: String) {
        let said = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard Self.isOne(said) else {
            (name, key) = (said, nil)
            return
        }
        let parts = said.dropFirst(Self.head.count).split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let plain = parts[0].replacingOccurrences(of: "+", with: " ")
        name = plain.removingPercentEncoding ?? plain
        key = parts.count == 2 && !parts[1].isEmpty ? PublicKey(hex: String(parts[1])) : nil
    }

    public var link: String {
        let plain = CharacterSet(charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
        let path = name.addingPercentEncoding(withAllowedCharacters: plain) ?? name
        return Self.head + path + (key.map { "#" + $0.hex } ?? "")
    }
}
