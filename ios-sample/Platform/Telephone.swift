import AVFoundation
import Network
import SampleLogic
import Sidetone
import SidetoneDevices
import UIKit

/// The phone around the app: opens the client, and gives each thing of the system to what it is for.
@MainActor
final class Telephone: NSObject, UIApplicationDelegate, Device {
    private let memory = Memory()
    private let loudspeaker = Loudspeaker()
    private let player = NotePlayer()
    private let network = NWPathMonitor()
    private(set) var film: Film?
    private var channel: Channel?
    private var intent = AudioIntent.idle
    /// A push may have begun the app: it wants this at once, whatever the client takes to open.
    private lazy var ringer = Ringer(
        stranger: Word.somebody.text, choose: { [weak self] in await self?.sample.choose($0, of: $1) },
        activate: { [weak self] in self?.speak($0) })
    private var waker: Waker?

    private(set) lazy var sample = Sample(device: self, memory: memory) { [weak self, memory] in
        let options = ClientOptions(server: memory.server, store: Store.file, files: Store.downloads)
        let client = try await Client.open(options, vault: Keychain())
        self?.begin(client)
        return client
    }

    var language: String { Bundle.main.preferredLocalizations.first ?? "en" }

    func application(
        _ application: UIApplication, didFinishLaunchingWithOptions options: [UIApplication.LaunchOptionsKey: Any]?
    ) -> Bool {
        network.pathUpdateHandler = { [weak self] path in
            Task { @MainActor in self?.sample.client?.networkChanged(NetworkSnapshot(path)) }
        }
        network.start(queue: .main)
        waker = Waker(sample, ringer)
        return true
    }

    /// Keeps the app for the moment that it takes to write everything down.
    func disappear() {
        let application = UIApplication.shared
        var task = UIBackgroundTaskIdentifier.invalid
        task = application.beginBackgroundTask { application.endBackgroundTask(task) }
        go {
            try? await self.sample.client?.onBackground()
            application.endBackgroundTask(task)
        }
    }

    func allows(_ permission: Permission) async -> Bool {
        switch permission {
        case .microphone: await AVAudioApplication.requestRecordPermission()
        case .camera: await AVCaptureDevice.requestAccess(for: .video)
        }
    }

    func record(into note: VoiceNote) throws {
        let (session, queue) = (AVAudioSession.sharedInstance(), DispatchQueue(label: "note"))
        try session.setCategory(.playAndRecord, mode: .default)
        try session.setActive(true)
        // A note encodes, for which an audio thread has no time.
        try loudspeaker.start(microphone: true, into: { bytes in
            let copy = Data(bytes)
            queue.async { _ = copy.withUnsafeBytes(note.push) }
            return 0
        }, from: nil)
    }

    func play(_ note: String) {
        if intent == .idle { try? AVAudioSession.sharedInstance().setCategory(.playback) }
        player.play(note)
    }

    func stopRecording() {
        loudspeaker.stop()
        try? AVAudioSession.sharedInstance().setActive(false, options: .notifyOthersOnDeactivation)
    }

    func set(_ intent: AudioIntent, _ sound: Sound) {
        self.intent = intent
        loudspeaker.prepare(intent)
        // What CallKit or PushToTalk owns, they activate.
        if ringer.isBusy || channel?.isJoined == true { return }
        let isOn = intent != .idle
        try? AVAudioSession.sharedInstance().setActive(isOn, options: .notifyOthersOnDeactivation)
        speak(isOn)
    }

    func set(camera: Bool, client: Client) { film?.set(camera: camera) }

    private func begin(_ client: Client) {
        film = Film(client, group: "group.org.sidetone.sample") { [weak self] on in go { await self?.sample.home?.share(on) } }
        ringer.follow(client)
        channel = Channel(client) { [weak self] in self?.speak($0) }
    }

    /// The session is active, or no longer.
    private func speak(_ on: Bool) {
        guard on, let sound = sample.client?.sound else { return loudspeaker.stop() }
        try? loudspeaker.start(microphone: intent != .listen, into: sound.push, from: sound)
    }
}
