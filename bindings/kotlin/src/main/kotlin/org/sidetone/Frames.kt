package org.sidetone

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.flow
import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** What every encoder should make, as the library tells it: of what is shown. Either may be told first, and late. */
internal class Rates {
    private val latest = MutableStateFlow<Map<VideoSource, ULong>>(emptyMap())
    private var told = emptyMap<VideoSource, ULong>()
    private var shows: Shows? = null

    val now: StateFlow<Map<VideoSource, ULong>> = latest.asStateFlow()

    @Synchronized
    fun note(event: VideoEvent) {
        when (event) {
            is VideoEvent.Bitrate -> told += event.source to event.bps
            is VideoEvent.Paused -> told += event.source to 0uL
            is VideoEvent.KeyframeWanted, is VideoEvent.Resumed -> Unit
        }
        settle()
    }

    @Synchronized
    fun shown(now: Shows?) {
        shows = now
        settle()
    }

    private fun settle() {
        latest.value = told.filterKeys { if (it == VideoSource.CAMERA) shows?.camera == true else shows?.screen != null }
    }
}

/** Frames as they come: each time the library says that there may be one, it is taken. */
internal fun <T : Any> Client.frames(begin: (RawClient) -> RawFrames, take: () -> T?): Flow<T> = flow {
    ask { begin(core()) }.use { frames ->
        while (frames.ready()) take()?.let { emit(it) }
    }
}

/** Heads of frames as the media port has them: `sidetone_frame` in `sidetone_media.h`. */
internal class Heads {
    private val head: ThreadLocal<ByteBuffer> = object : ThreadLocal<ByteBuffer>() {
        override fun initialValue(): ByteBuffer = direct(HEAD)
    }

    /** Hands in a frame with its head by way of [port]. */
    fun push(info: FrameInfo, encoded: ByteBuffer, port: (head: ByteBuffer, bytes: ByteBuffer) -> Int): PushedFrame {
        val bytes = whole(encoded)
        if (encoded.remaining() == 0) return PushedFrame.WRONG_LENGTH
        return pushed(port(head.get()!!.also { write(info, encoded.remaining(), it) }, bytes))
    }

    /** Takes a frame with its head by way of [port], if there is one. */
    fun poll(port: (head: ByteBuffer, bytes: ByteBuffer, capacity: Int) -> Int): kotlin.Pair<FrameInfo, ByteBuffer>? {
        val head = head.get()!!
        var bytes = head
        while (true) {
            // The first look is at the head alone, and tells how large the frame is.
            val length = port(head, bytes, if (bytes === head) 0 else bytes.capacity())
            if (length == SHORT) {
                bytes = direct(head.getInt(8))
            } else if (length > 0) {
                (bytes as Buffer).limit(length)
                return read(head) to bytes
            } else {
                return null
            }
        }
    }

    companion object {
        const val HEAD = 24
        const val SHORT = -12

        fun direct(bytes: Int): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

        fun write(info: FrameInfo, bytes: Int, head: ByteBuffer) {
            head.putLong(0, info.capturedUs.toLong()).putInt(8, bytes)
            head.putShort(12, info.width.toShort()).putShort(14, info.height.toShort())
            head.put(16, info.source.ordinal.toByte()).put(17, (info.codec.ordinal + 1).toByte())
            head.put(18, if (info.key) 1 else 0).put(19, info.rotation.ordinal.toByte()).put(20, info.layer.toByte())
        }

        fun read(head: ByteBuffer) = FrameInfo(
            source = VideoSource.entries[head.get(16).toInt()],
            codec = VideoCodec.entries[head.get(17) - 1],
            key = head.get(18) == 1.toByte(),
            rotation = VideoRotation.entries[head.get(19).toInt()],
            layer = head.get(20).toUByte(),
            width = head.getShort(12).toUShort(),
            height = head.getShort(14).toUShort(),
            capturedUs = head.getLong(0).toULong(),
        )

        fun pushed(answer: Int): PushedFrame = when (answer) {
            1 -> PushedFrame.QUEUED
            0 -> PushedFrame.DROPPED
            -1 -> PushedFrame.CLOSED
            -2 -> PushedFrame.WRONG_LENGTH
            -4 -> PushedFrame.BUSY
            -6 -> PushedFrame.NO_CALL
            -7 -> PushedFrame.NOT_SHOWN
            -8 -> PushedFrame.NEEDS_KEY
            -9 -> PushedFrame.OTHER_CODEC
            -10 -> PushedFrame.WRONG_TIME
            -11 -> PushedFrame.WRONG_SIZE
            else -> PushedFrame.FAULT
        }
    }
}
