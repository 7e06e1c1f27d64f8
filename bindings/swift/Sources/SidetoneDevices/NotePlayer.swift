#if os(iOS)
import AVFoundation

/// Plays voice notes, one at a time.
public final class NotePlayer {
    private var player: AVAudioPlayer?

    public init() {}

    /// Plays the note in a file, in the session as it is; false if it is none.
    @discardableResult
    public func play(_ path: String) -> Bool {
        guard let ogg = FileManager.default.contents(atPath: path), let caf = VoiceFile.caf(ogg) else { return false }
        player = try? AVAudioPlayer(data: caf)
        return player?.play() ?? false
    }

    public func stop() { player?.stop() }
}
#endif
