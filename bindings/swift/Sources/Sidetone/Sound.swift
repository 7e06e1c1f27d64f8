import sidetoneFFI

/// Where a client's sound goes in and out: mono, 48 kHz, 16 bit in the machine's byte order.
///
/// For the app's audio threads: neither function waits or allocates. A negative answer is one of the constants.
public struct Sound: Sendable {
    let number: UInt64

    /// No client has this number, or it is closed.
    public static let closed = SIDETONE_MEDIA_CLOSED
    /// The length is odd, or more than a second.
    public static let length = SIDETONE_MEDIA_LENGTH
    /// Another thread is in the same function.
    public static let busy = SIDETONE_MEDIA_BUSY
    /// A fault inside the library.
    public static let fault = SIDETONE_MEDIA_FAULT

    /// Gives sound from the microphone, and says how many bytes were taken: 0 while there is no call, less than all when
    /// 200 ms wait.
    public func push(_ pcm: UnsafeRawBufferPointer) -> Int32 {
        guard let start = pcm.baseAddress else { return 0 }
        guard let bytes = UInt32(exactly: pcm.count) else { return Self.length }
        return sidetone_media_push(number, start.assumingMemoryBound(to: UInt8.self), bytes)
    }

    /// Fills the buffer with what the speaker shall play, and says how many bytes of it are sound; the rest is silence.
    public func pull(_ pcm: UnsafeMutableRawBufferPointer) -> Int32 {
        guard let start = pcm.baseAddress else { return 0 }
        guard let bytes = UInt32(exactly: pcm.count) else { return Self.length }
        return sidetone_media_pull(number, start.assumingMemoryBound(to: UInt8.self), bytes)
    }
}

/// A voice note while it is spoken. Give it sound, then `Chat.sendVoiceNote` it; letting go of it throws away what was not
/// sent.
public final class VoiceNote: Sendable {
    let raw: RawNote
    private let number: UInt64

    /// Begins a note; the code `system` if 16 are being spoken already.
    public init() throws {
        raw = try RawNote.begin()
        number = raw.sound().value
    }

    /// Gives sound, and says how many bytes were taken: all, or 0 once the note is an hour long. It encodes: for a recording
    /// thread, not for a render callback.
    public func push(_ pcm: UnsafeRawBufferPointer) -> Int32 {
        guard let start = pcm.baseAddress else { return 0 }
        guard let bytes = UInt32(exactly: pcm.count) else { return Sound.length }
        return sidetone_media_note(number, start.assumingMemoryBound(to: UInt8.self), bytes)
    }

    /// How long and how loud it is so far; nil once it was sent.
    public var view: NoteView? { raw.view() }
}
