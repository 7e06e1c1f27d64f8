package org.sidetone

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeAll
import org.junit.jupiter.api.Test
import java.nio.ByteBuffer
import java.util.concurrent.ConcurrentHashMap
import kotlin.concurrent.thread
import org.sidetone.VideoSource.CAMERA
import org.sidetone.VideoSource.SCREEN

class VideoTest {
    @AfterEach
    fun `nobody is in a call`() = check {
        duo.hangUp()
        for (phone in listOf(duo.anna, duo.ben)) phone.video.bitrates.until { it.isEmpty() }
    }

    private suspend fun shown(call: Call, phone: Client, vararg sources: VideoSource) {
        if (CAMERA in sources) call.setCamera(true)
        if (SCREEN in sources) call.setScreenShare(ScreenContent.TEXT)
        phone.video.bitrates.until { it.keys == sources.toSet() && it.values.all { bps -> bps > 0u } }
    }

    @Test
    fun `pictures go both ways bit for bit`() = check {
        val (hers, his) = duo.talk()
        shown(hers, duo.anna, CAMERA)
        shown(his, duo.ben, CAMERA)
        for ((from, to) in listOf(duo.anna to duo.ben, duo.ben to duo.anna)) {
            val film = Film(CAMERA)
            val playing = launch { film.play(from.video) }
            film.check(to.video.frames, 40)
            playing.cancelAndJoin()
        }
        val (sent, received) = duo.anna.video.figures(CAMERA)!! to duo.ben.video.figures(CAMERA)!!
        assertTrue(sent.framesSent >= 40u && sent.bytesSent > 0u && received.framesReceived >= 40u, "$sent $received")
    }

    @Test
    fun `a shared screen arrives beside the camera and goes without it`() = check {
        val (hers, his) = duo.talk()
        shown(hers, duo.anna, CAMERA, SCREEN)
        his.view.until { it.theirShows == Shows(true, ScreenContent.TEXT) }
        hers.view.until { it.shows == Shows(true, ScreenContent.TEXT) }
        for (film in listOf(Film(CAMERA), Film(SCREEN))) {
            val playing = launch { film.play(duo.anna.video) }
            film.check(duo.ben.video.frames, 5)
            playing.cancelAndJoin()
        }
        hers.setScreenShare(ScreenContent.MOTION)
        his.view.until { it.theirShows == Shows(true, ScreenContent.MOTION) }
        hers.setScreenShare(null)
        his.view.until { it.theirShows == Shows(true, null) }
        duo.anna.video.bitrates.until { it.keys == setOf(CAMERA) }
        assertEquals(PushedFrame.NOT_SHOWN, Film(SCREEN).push(duo.anna.video))
        assertEquals(PushedFrame.QUEUED, Film(CAMERA).push(duo.anna.video, key = true))
    }

    @Test
    fun `a frame of a megabyte arrives whole`() = check {
        val (hers, _) = duo.talk()
        shown(hers, duo.anna, SCREEN)
        val film = Film(SCREEN, listOf(1 shl 20))
        assertEquals(PushedFrame.QUEUED, film.push(duo.anna.video))
        film.check(duo.ben.video.frames, 1)
    }

    @Test
    fun `what an encoder must not hand in is refused and the track goes on`() = check {
        val video = duo.anna.video
        assertEquals(PushedFrame.NO_CALL, Film(CAMERA).push(video))
        val (hers, _) = duo.talk()
        assertEquals(PushedFrame.NOT_SHOWN, Film(CAMERA).push(video))
        shown(hers, duo.anna, CAMERA)
        val good = Film.info(CAMERA, 0, key = true)
        val frame = Film.bytes(0, 100)
        val delta = good.copy(key = false)
        assertEquals(PushedFrame.NEEDS_KEY, video.push(delta, frame))
        assertEquals(PushedFrame.WRONG_LENGTH, video.push(good, ByteBuffer.allocateDirect(0)))
        assertEquals(PushedFrame.WRONG_LENGTH, video.push(good, ByteBuffer.allocateDirect((1 shl 20) + 1)))
        assertEquals(PushedFrame.WRONG_SIZE, video.push(good.copy(width = 0u), frame))
        assertEquals(PushedFrame.WRONG_SIZE, video.push(good.copy(layer = 16u), frame))
        assertEquals(PushedFrame.WRONG_TIME, video.push(good.copy(capturedUs = ULong.MAX_VALUE), frame))
        assertThrows(IllegalArgumentException::class.java) { video.push(good, ByteBuffer.allocate(100)) }
        assertEquals(PushedFrame.QUEUED, video.push(good, frame))
        assertEquals(PushedFrame.OTHER_CODEC, video.push(delta.copy(codec = VideoCodec.AV1), frame))
        assertEquals(PushedFrame.WRONG_TIME, video.push(delta.copy(capturedUs = good.capturedUs - 1u), frame))
        assertEquals(PushedFrame.WRONG_TIME, video.push(delta.copy(capturedUs = good.capturedUs + 61_000_000u), frame))
        assertEquals(PushedFrame.QUEUED, video.push(delta.copy(capturedUs = good.capturedUs + 1u), frame))
    }

    @Test
    fun `an encoder learns what the path bears and when a key frame is wanted`() = check {
        val (hers, his) = duo.talk()
        val wish = async { duo.anna.video.keyframes.first() }
        shown(hers, duo.anna, CAMERA)
        val film = Film(CAMERA, listOf(60_000))
        val answers = List(500) { film.push(duo.anna.video, key = it == 0) }
        assertTrue(PushedFrame.DROPPED in answers, "a queue without end")
        assertEquals(CAMERA, wish.await())
        his.want(camera = 180, screen = 0)
        hers.view.until { it.theirWants == Wants(180u, 0u) }
        duo.anna.video.limit(100_000u)
        duo.anna.video.bitrates.until { (it[CAMERA] ?: 0uL) <= 100_000u }
    }

    @Test
    fun `who stops looking takes no frame from who looks next`() = check {
        val (hers, _) = duo.talk()
        shown(hers, duo.anna, CAMERA)
        val film = Film(CAMERA)
        // It waits inside the library when this returns.
        val first = launch(start = CoroutineStart.UNDISPATCHED) { duo.ben.video.frames.collect { } }
        first.cancelAndJoin()
        assertEquals(PushedFrame.QUEUED, film.push(duo.anna.video))
        film.check(duo.ben.video.frames, 1)
    }

    @Test
    fun `after the end pictures say so`() = check {
        val phone = Phones.bare()
        val seen = async(start = CoroutineStart.UNDISPATCHED) { phone.video.frames.toList() }
        val video = phone.video
        assertNull(video.figures(CAMERA))
        phone.close()
        assertEquals(emptyList<VideoFrame>(), seen.await())
        assertEquals(PushedFrame.CLOSED, Film(CAMERA).push(video))
        assertNull(video.poll())
        assertEquals(ErrorCode.CLOSED, failure { video.figures(CAMERA) })
        assertEquals(ErrorCode.CLOSED, failure { video.limit(1u) })
        assertEquals(ErrorCode.CLOSED, failure { video.frames.first() })
        val other = Phones.bare()
        assertEquals(PushedFrame.CLOSED, Film(CAMERA).push(video))
        other.close()
    }

    @Test
    fun `many encoders at once are told and harm nothing`() = check {
        val (hers, _) = duo.talk()
        shown(hers, duo.anna, CAMERA, SCREEN)
        val answers = ConcurrentHashMap.newKeySet<PushedFrame>()
        val threads = List(8) { number ->
            thread {
                val film = Film(if (number % 2 == 0) CAMERA else SCREEN)
                repeat(2_000) {
                    answers += film.push(duo.anna.video, key = true)
                    duo.ben.video.poll()
                }
            }
        }
        hers.hangUp()
        threads.forEach(Thread::join)
        val fit = setOf(PushedFrame.QUEUED, PushedFrame.DROPPED, PushedFrame.BUSY, PushedFrame.NOT_SHOWN, PushedFrame.NO_CALL)
        assertTrue(fit.containsAll(answers), "$answers")
    }

    companion object {
        private lateinit var duo: Duo

        @JvmStatic
        @BeforeAll
        fun meet() = check { duo = Phones.friends() }

        @JvmStatic
        @AfterAll
        fun part() = check { duo.close() }
    }
}
