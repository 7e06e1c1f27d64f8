import Foundation
import UniformTypeIdentifiers

/// Where the app keeps what it keeps.
enum Store {
    static let folder: String = {
        var url = URL.applicationSupportDirectory.appending(path: "sidetone")
        try? FileManager.default.createDirectory(
            at: url, withIntermediateDirectories: true,
            attributes: [.protectionKey: FileProtectionType.completeUntilFirstUserAuthentication])
        // Without the key it is noise, and the key stays on this device.
        var values = URLResourceValues()
        values.isExcludedFromBackup = true
        try? url.setResourceValues(values)
        return url.path
    }()
    static let file = folder + "/store.db"
    static let downloads = URL.documentsDirectory.appending(path: "Sidetone").path
}

/// Files on their way into and out of the app.
enum Folders {
    /// A new folder for an export.
    static func export() -> String {
        let url = URL.temporaryDirectory.appending(path: "export-" + UUID().uuidString)
        try? FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        return url.path
    }

    /// Keeps bytes where they stay until they were sent.
    static func keep(_ bytes: Data, _ name: String) -> String {
        let url = outbox().appending(path: name)
        try? bytes.write(to: url)
        return url.path
    }

    /// Keeps a copy of a file that the person picked, and says what it is.
    static func keep(_ picked: URL) -> (String, String)? {
        guard picked.startAccessingSecurityScopedResource() else { return nil }
        defer { picked.stopAccessingSecurityScopedResource() }
        let copy = outbox().appending(path: picked.lastPathComponent)
        guard (try? FileManager.default.copyItem(at: picked, to: copy)) != nil else { return nil }
        return (copy.path, UTType(filenameExtension: picked.pathExtension)?.preferredMIMEType ?? "application/octet-stream")
    }

    private static func outbox() -> URL {
        let url = URL(filePath: Store.folder).appending(path: "outbox/" + UUID().uuidString)
        try? FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        return url
    }
}
