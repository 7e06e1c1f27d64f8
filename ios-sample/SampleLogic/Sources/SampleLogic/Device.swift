import Foundation
import Sidetone

/// What a person may allow the app.
public enum Permission: Sendable {
    case microphone, camera

    public var trouble: Trouble { self == .microphone ? .microphoneForbidden : .cameraForbidden }
}

/// The phone around the app; in tests, what stands in for it.
@MainActor
public protocol Device: AnyObject {
    /// The BCP 47 tag of the language shown.
    var language: String { get }

    /// Asks for a permission, if it was not given yet.
    func allows(_ permission: Permission) async -> Bool

    /// Gives the microphone's sound to the note until `stop`.
    func record(into note: VoiceNote) throws

    func stopRecording()

    /// Plays a voice note.
    func play(_ note: String)

    /// Sets the sound to what the library wants.
    func set(_ intent: AudioIntent, _ sound: Sound)

    /// Opens and closes the camera for what is shown.
    func set(camera: Bool, client: Client)
}

/// What the app itself remembers, beside what the library keeps.
public struct Memory: Sendable {
    private let name: String?

    public init(_ name: String? = nil) { self.name = name }

    private var defaults: UserDefaults { name.flatMap { UserDefaults(suiteName: $0) } ?? .standard }

    public var server: String {
        get { defaults.string(forKey: "server") ?? "wss://meet.example" }
        nonmutating set { defaults.set(newValue, forKey: "server") }
    }

    public var nickname: String {
        get { defaults.string(forKey: "nickname") ?? "" }
        nonmutating set { defaults.set(newValue, forKey: "nickname") }
    }
}
