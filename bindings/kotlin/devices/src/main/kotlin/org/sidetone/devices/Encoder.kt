package org.sidetone.devices

import android.media.MediaCodec
import android.media.MediaCodecInfo
import android.media.MediaFormat
import android.os.Build
import android.os.Bundle
import android.os.Handler
import android.util.Size
import android.view.Surface
import org.sidetone.FrameInfo
import org.sidetone.PushedFrame
import org.sidetone.VideoCodec
import org.sidetone.VideoRotation
import org.sidetone.VideoSource
import java.nio.ByteBuffer

/** H.264 of what is drawn on [surface], by `MediaCodec`; rests until it is told a bit rate. For one thread, that of its [handler]. */
public class Encoder(
    private val source: VideoSource,
    private val size: Size,
    private val rotation: VideoRotation,
    handler: Handler,
    private val push: (FrameInfo, ByteBuffer) -> PushedFrame,
) : AutoCloseable {
    private val codec = MediaCodec.createEncoderByType(MIME)
    private var sets: ByteBuffer? = null

    /** What the camera or the screen draws on. */
    public val surface: Surface

    init {
        codec.setCallback(Outputs(), handler)
        codec.configure(format(), null, null, MediaCodec.CONFIGURE_FLAG_ENCODE)
        surface = codec.createInputSurface()
        codec.start()
        setRate(0u)
    }

    /** Bits a second; 0 rests. */
    public fun setRate(bps: ULong) {
        tell(MediaCodec.PARAMETER_KEY_SUSPEND, if (bps == 0uL) 1 else 0)
        if (bps > 0u) tell(MediaCodec.PARAMETER_KEY_VIDEO_BITRATE, bps.coerceAtMost(MOST).toInt())
    }

    /** The next picture must be a key frame. */
    public fun wantKey(): Unit = tell(MediaCodec.PARAMETER_KEY_REQUEST_SYNC_FRAME, 0)

    override fun close() {
        codec.stop()
        codec.release()
        surface.release()
    }

    private fun tell(key: String, value: Int) = codec.setParameters(Bundle().apply { putInt(key, value) })

    private fun format() = MediaFormat.createVideoFormat(MIME, size.width, size.height).apply {
        setInteger(MediaFormat.KEY_COLOR_FORMAT, MediaCodecInfo.CodecCapabilities.COLOR_FormatSurface)
        setInteger(MediaFormat.KEY_BIT_RATE, FIRST)
        setInteger(MediaFormat.KEY_FRAME_RATE, if (source == VideoSource.CAMERA) 30 else 15)
        // Key frames are made when somebody asks for one.
        setInteger(MediaFormat.KEY_I_FRAME_INTERVAL, 3_600)
        setInteger(MediaFormat.KEY_PRIORITY, 0)
        // A screen that stands still is shown to who comes later.
        if (source == VideoSource.SCREEN) setLong(MediaFormat.KEY_REPEAT_PREVIOUS_FRAME_AFTER, 1_000_000)
        if (Build.VERSION.SDK_INT >= 26) setInteger(MediaFormat.KEY_LATENCY, 1)
        if (Build.VERSION.SDK_INT >= 29) setInteger(MediaFormat.KEY_MAX_B_FRAMES, 0)
    }

    private inner class Outputs : MediaCodec.Callback() {
        override fun onOutputBufferAvailable(codec: MediaCodec, index: Int, about: MediaCodec.BufferInfo) {
            val bytes = codec.getOutputBuffer(index) ?: return
            bytes.position(about.offset).limit(about.offset + about.size)
            give(bytes, about)
            codec.releaseOutputBuffer(index, false)
        }

        override fun onInputBufferAvailable(codec: MediaCodec, index: Int) = Unit

        override fun onOutputFormatChanged(codec: MediaCodec, format: MediaFormat) = Unit

        override fun onError(codec: MediaCodec, error: MediaCodec.CodecException) = Unit
    }

    private fun give(bytes: ByteBuffer, about: MediaCodec.BufferInfo) {
        if (about.flags and MediaCodec.BUFFER_FLAG_CODEC_CONFIG != 0) {
            sets = ByteBuffer.allocateDirect(bytes.remaining()).put(bytes.duplicate()).apply { flip() }
            return
        }
        val key = about.flags and MediaCodec.BUFFER_FLAG_KEY_FRAME != 0
        val (wide, tall) = size.width.toUShort() to size.height.toUShort()
        val info = FrameInfo(source, VideoCodec.H264, key, rotation, 0u, wide, tall, about.presentationTimeUs.toULong())
        val became = push(info, if (key) H264.whole(sets, bytes) else bytes)
        if (became == PushedFrame.DROPPED || became == PushedFrame.NEEDS_KEY) wantKey()
    }

    internal companion object {
        const val MIME = MediaFormat.MIMETYPE_VIDEO_AVC
        private const val FIRST = 500_000
        private const val MOST: ULong = 20_000_000u
    }
}
