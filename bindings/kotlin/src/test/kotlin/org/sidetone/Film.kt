package org.sidetone

import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.filter
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.withTimeoutOrNull
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.fail
import java.nio.ByteBuffer
import java.util.concurrent.ConcurrentHashMap
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** Encoded frames that nobody could mistake for others, of all sizes that are cut differently. */
class Film(private val source: VideoSource, private val lengths: List<Int> = listOf(1, 700, 1_159, 1_160, 1_161, 4_000, 9_000)) {
    private val pushed = ConcurrentHashMap<ULong, Pair<FrameInfo, Int>>()
    private val answers = ConcurrentHashMap<PushedFrame, Int>()
    private var next = 0
    private var needsKey = true
    private val isDue get() = needsKey || next % 30 == 0

    /** The next frame; a key frame if one is due: the first, after one that was not taken, and once a second. */
    fun push(video: Video, key: Boolean = isDue): PushedFrame = push(key, video::push)

    fun push(video: RoomVideo, key: Boolean = isDue): PushedFrame = push(key, video::push)

    private fun push(key: Boolean, port: (FrameInfo, ByteBuffer) -> PushedFrame): PushedFrame {
        val (number, length) = next to lengths[next % lengths.size]
        val info = info(source, number, key)
        pushed[info.capturedUs] = info to length
        next++
        return port(info, bytes(number, length)).also {
            needsKey = it != PushedFrame.QUEUED
            answers.merge(it, 1, Int::plus)
        }
    }

    /** Thirty frames a second until it is cancelled. */
    suspend fun play(video: Video): Nothing = play { push(video) }

    suspend fun play(video: RoomVideo): Nothing = play { push(video) }

    private suspend fun play(push: () -> PushedFrame): Nothing {
        while (true) {
            push()
            delay(33.milliseconds)
        }
    }

    /** So many frames arrive, each as it was, none twice, in their order. */
    suspend fun check(frames: Flow<VideoFrame>, count: Int) {
        val seen = withTimeoutOrNull(30.seconds) { frames.filter { it.info.source == source }.take(count).toList() }
            ?: fail("fewer than $count frames came; of those handed in became $answers")
        for (frame in seen) {
            val (info, length) = pushed.getValue(frame.info.capturedUs)
            assertEquals(info, frame.info)
            assertEquals(bytes(((info.capturedUs - FIRST_US) / STEP_US).toInt(), length), frame.bytes)
        }
        val times = seen.map { it.info.capturedUs }
        assertEquals(times.distinct().sorted(), times)
    }

    companion object {
        private const val FIRST_US: ULong = 7_000_000u
        private const val STEP_US: ULong = 33_333u

        fun info(source: VideoSource, number: Int, key: Boolean) = FrameInfo(
            source = source,
            codec = if (source == VideoSource.CAMERA) VideoCodec.H264 else VideoCodec.AV1,
            key = key,
            rotation = if (source == VideoSource.CAMERA) VideoRotation.THREE_QUARTERS else VideoRotation.NONE,
            layer = 3u,
            width = 40_000u,
            height = 720u,
            capturedUs = FIRST_US + STEP_US * number.toULong(),
        )

        fun bytes(number: Int, length: Int): ByteBuffer = ByteBuffer.allocateDirect(length).also { frame ->
            for (place in 0 until length) frame.put(place, ((place * 31) xor number).toByte())
        }
    }
}
