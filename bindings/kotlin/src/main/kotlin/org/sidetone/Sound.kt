package org.sidetone

import com.sun.jna.Native
import java.nio.ByteBuffer

/**
 * Where a client's sound goes in and out: mono, 48 kHz, 16 bit in the machine's byte order.
 *
 * For the app's audio threads. Neither function waits, and neither throws but for a buffer that is not direct; a negative
 * answer is one of the constants.
 */
public class Sound internal constructor(number: ULong) {
    private val number = number.toLong()

    /**
     * Gives what the buffer holds between its position and its limit, and says how many bytes were taken: 0 while there is
     * no call, less than all when 200 ms wait. The position stays.
     */
    public fun push(pcm: ByteBuffer): Int = Port.sidetone_media_push(number, whole(pcm), pcm.remaining())

    /**
     * Fills the buffer between its position and its limit with what the speaker shall play, and says how many bytes of it
     * are sound; the rest is silence. The position stays.
     */
    public fun pull(pcm: ByteBuffer): Int = Port.sidetone_media_pull(number, whole(pcm), pcm.remaining())

    public companion object {
        /** The client is closed. */
        public const val CLOSED: Int = -1

        /** The length is odd, or more than a second. */
        public const val LENGTH: Int = -2

        /** Another thread is in the same function. */
        public const val BUSY: Int = -4

        /** A fault inside the library. */
        public const val FAULT: Int = -5
    }
}

/**
 * A voice note while it is spoken. Give it sound, then [Chat.sendVoiceNote] it; closing it throws away what was not sent.
 *
 * @throws SidetoneException with the code `SYSTEM` if 16 are being spoken already.
 */
public class VoiceNote : AutoCloseable {
    internal val raw = RawNote.begin()
    private val number = raw.sound().value.toLong()

    /**
     * Gives what the buffer, a direct one, holds between its position and its limit, and says how many bytes were taken:
     * all, or 0 once the note is an hour long. For a recording thread.
     */
    public fun push(pcm: ByteBuffer): Int = Port.sidetone_media_note(number, whole(pcm), pcm.remaining())

    /** How long and how loud it is so far; null once it was sent or closed. */
    public val view: NoteView? get() = try {
        raw.view()
    } catch (_: IllegalStateException) {
        null
    }

    override fun close(): Unit = raw.destroy()
}

internal fun whole(pcm: ByteBuffer): ByteBuffer {
    require(pcm.isDirect) { "the media port needs a direct buffer" }
    return if (pcm.position() == 0) pcm else pcm.slice()
}

/** The media port: see `sidetone_media.h`. */
@Suppress("FunctionName")
internal object Port {
    init {
        Native.register(Port::class.java, System.getProperty("uniffi.component.sidetone.libraryOverride") ?: "sidetone_ffi")
    }

    @JvmStatic external fun sidetone_media_push(number: Long, pcm: ByteBuffer, bytes: Int): Int

    @JvmStatic external fun sidetone_media_note(number: Long, pcm: ByteBuffer, bytes: Int): Int

    @JvmStatic external fun sidetone_media_pull(number: Long, pcm: ByteBuffer, bytes: Int): Int

    @JvmStatic external fun sidetone_media_frame_push(number: Long, head: ByteBuffer, encoded: ByteBuffer): Int

    @JvmStatic external fun sidetone_media_frame_next(number: Long, head: ByteBuffer, encoded: ByteBuffer, capacity: Int): Int

    @JvmStatic external fun sidetone_media_room_push(number: Long, room: ByteBuffer, head: ByteBuffer, encoded: ByteBuffer): Int

    @JvmStatic
    external fun sidetone_media_room_next(
        number: Long,
        room: ByteBuffer,
        head: ByteBuffer,
        member: ByteBuffer,
        encoded: ByteBuffer,
        capacity: Int,
    ): Int
}
