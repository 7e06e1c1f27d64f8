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

    private fun whole(pcm: ByteBuffer): ByteBuffer {
        require(pcm.isDirect) { "sound needs a direct buffer" }
        return if (pcm.position() == 0) pcm else pcm.slice()
    }

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

/** The media port: see `sidetone_media.h`. */
@Suppress("FunctionName")
internal object Port {
    init {
        Native.register(Port::class.java, System.getProperty("uniffi.component.sidetone.libraryOverride") ?: "sidetone_ffi")
    }

    @JvmStatic external fun sidetone_media_push(number: Long, pcm: ByteBuffer, bytes: Int): Int

    @JvmStatic external fun sidetone_media_pull(number: Long, pcm: ByteBuffer, bytes: Int): Int
}
