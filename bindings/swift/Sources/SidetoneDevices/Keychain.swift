#if os(iOS)
import Foundation
import Security
import Sidetone

/// The key of the store, as an item of the Keychain that never leaves this device.
public final class Keychain: KeyVault {
    private let service: String
    private var item: [CFString: Any] { [kSecClass: kSecClassGenericPassword, kSecAttrService: service] }

    public init(_ service: String = "org.sidetone.store") { self.service = service }

    public func loadOrCreate() throws -> Data {
        var found: CFTypeRef?
        switch SecItemCopyMatching(item.merging([kSecReturnData: true]) { $1 } as CFDictionary, &found) {
        case errSecSuccess: return found as? Data ?? Data()
        case errSecItemNotFound: return try create()
        case errSecInteractionNotAllowed: throw VaultProblem.Locked
        default: throw VaultProblem.Failed
        }
    }

    public func forgetKey() throws {
        let status = SecItemDelete(item as CFDictionary)
        if status != errSecSuccess && status != errSecItemNotFound { throw VaultProblem.Failed }
    }

    private func create() throws -> Data {
        var key = Data(count: 32)
        let status = key.withUnsafeMutableBytes { SecRandomCopyBytes(kSecRandomDefault, $0.count, $0.baseAddress!) }
        let new: [CFString: Any] = [
            kSecValueData: key, kSecAttrAccessible: kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly,
        ]
        guard status == errSecSuccess, SecItemAdd(item.merging(new) { $1 } as CFDictionary, nil) == errSecSuccess else {
            throw VaultProblem.Failed
        }
        return key
    }
}
#endif
