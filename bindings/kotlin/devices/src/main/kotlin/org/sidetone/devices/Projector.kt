package org.sidetone.devices

import android.media.MediaCodec
import android.media.MediaFormat
import android.view.Surface
import org.sidetone.FrameInfo
import org.sidetone.VideoCodec
import org.sidetone.VideoFrame

/** Decodes one source of the other side's pictures onto a surface, by `MediaCodec`. For one thread. */
internal class Projector(private val surface: Surface) : AutoCloseable {
    private var codec: MediaCodec? = null
    private var shown: FrameInfo? = null

    /** Shows a frame at once: the library gives each when its time has come. */
    fun show(frame: VideoFrame) {
        if (frame.info.codec != VideoCodec.H264) return
        if (frame.info.key && frame.info.shape() != shown?.shape()) open(frame)
        val codec = codec ?: return
        try {
            put(codec, frame)
        } catch (_: IllegalStateException) {
            // A decoder that failed begins anew with the next key frame.
            close()
        }
    }

    override fun close() {
        codec?.release()
        codec = null
        shown = null
    }

    private fun put(codec: MediaCodec, frame: VideoFrame) {
        val index = codec.dequeueInputBuffer(WAIT_US)
        val room = if (index >= 0) codec.getInputBuffer(index) ?: return else return
        val bytes = frame.bytes.remaining()
        room.clear()
        if (bytes <= room.capacity()) room.put(frame.bytes.duplicate())
        codec.queueInputBuffer(index, 0, room.position(), frame.info.capturedUs.toLong(), 0)
        val about = MediaCodec.BufferInfo()
        var done = codec.dequeueOutputBuffer(about, WAIT_US)
        while (done >= 0 || done == MediaCodec.INFO_OUTPUT_FORMAT_CHANGED) {
            if (done >= 0) codec.releaseOutputBuffer(done, true)
            done = codec.dequeueOutputBuffer(about, 0)
        }
    }

    private fun open(frame: VideoFrame) {
        close()
        val (sequence, picture) = H264.parameterSets(frame.bytes) ?: return
        val info = frame.info
        val format = MediaFormat.createVideoFormat(Encoder.MIME, info.width.toInt(), info.height.toInt()).apply {
            setByteBuffer("csd-0", sequence)
            setByteBuffer("csd-1", picture)
            setInteger(MediaFormat.KEY_ROTATION, info.rotation.ordinal * 90)
        }
        codec = MediaCodec.createDecoderByType(Encoder.MIME).apply {
            configure(format, surface, null, 0)
            start()
        }
        shown = info
    }

    private fun FrameInfo.shape() = Triple(width, height, rotation)

    private companion object {
        const val WAIT_US = 10_000L
    }
}
