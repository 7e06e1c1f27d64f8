package org.sidetone

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.mapNotNull
import kotlinx.coroutines.flow.update
import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * Where the pictures of the call that is on go in and out, encoded: the app's encoder hands frames in, its decoder takes
 * them. Nothing looks into them on the way; they are sealed with what is known of them.
 */
public class Video internal constructor(number: ULong, private val client: Client) {
    private val number = number.toLong()
    private val head = object : ThreadLocal<ByteBuffer>() {
        override fun initialValue(): ByteBuffer = direct(HEAD)
    }
    private val told = MutableStateFlow<Map<VideoSource, ULong>>(emptyMap())

    /**
     * What each encoder should make now, in bits a second: 0 while frames would go to nobody, because the path bears the voice
     * alone or nobody watches; nothing for what is not shown or in no call.
     */
    public val bitrates: StateFlow<Map<VideoSource, ULong>> = told.asStateFlow()

    /** The encoders whose next frame must be a key frame: somebody cannot go on without. */
    public val keyframes: Flow<VideoSource> = client.events.mapNotNull { event ->
        ((event as? Event.Video)?.event as? VideoEvent.KeyframeWanted)?.source
    }

    /**
     * The other side's frames, each when its time has come, through calls that end and begin; ends when the client is closed.
     * A frame goes to one of those who collect.
     */
    public val frames: Flow<VideoFrame> = flow {
        client.ask { client.core().frames() }.use { frames ->
            while (frames.ready()) poll()?.let { emit(it) }
        }
    }

    /**
     * Hands in the encoded frame that a direct buffer holds between its position and its limit, at most 1 MiB; the position
     * stays. Never throws but for a buffer that is not direct, and does not wait: for the thread of the source's encoder.
     */
    public fun push(info: FrameInfo, encoded: ByteBuffer): PushedFrame {
        val bytes = whole(encoded)
        if (encoded.remaining() == 0) return PushedFrame.WRONG_LENGTH
        return pushed(Port.sidetone_media_frame_push(number, head().also { write(info, encoded.remaining(), it) }, bytes))
    }

    /** Takes the next frame of the other side whose time has come, if there is one. */
    public fun poll(): VideoFrame? {
        val head = head()
        var bytes = head
        while (true) {
            // The first look is at the head alone, and tells how large the frame is.
            val room = if (bytes === head) 0 else bytes.capacity()
            val length = Port.sidetone_media_frame_next(number, head, bytes, room)
            if (length == SHORT) {
                bytes = direct(head.getInt(8))
            } else if (length > 0) {
                (bytes as Buffer).limit(length)
                return VideoFrame(read(head), bytes)
            } else {
                return null
            }
        }
    }

    /** What passed of a track in the call that is on; null without one. */
    public fun figures(source: VideoSource): VideoFigures? = client.ask { client.core().videoFigures(source) }

    /** Takes no more of the path of the call that is on than this, in bits a second: for a user who pays for bytes. */
    public fun limit(bps: ULong): Unit = client.ask { client.core().limitVideo(bps) }

    private fun head(): ByteBuffer = head.get()!!

    internal fun note(event: VideoEvent) {
        when (event) {
            is VideoEvent.Bitrate -> told.update { it + (event.source to event.bps) }
            is VideoEvent.Paused -> told.update { it + (event.source to 0uL) }
            is VideoEvent.KeyframeWanted, is VideoEvent.Resumed -> Unit
        }
    }

    /** Only what is shown has a rate. */
    internal fun shown(shows: Shows?) = told.update { rates ->
        rates.filterKeys { if (it == VideoSource.CAMERA) shows?.camera == true else shows?.screen != null }
    }

    private companion object {
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

/** An encoded frame of the other side. */
public class VideoFrame internal constructor(
    /** What is known of it. */
    public val info: FrameInfo,
    /** The frame, in a direct buffer that is the receiver's. */
    public val bytes: ByteBuffer,
)
