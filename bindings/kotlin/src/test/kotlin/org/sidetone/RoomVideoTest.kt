package org.sidetone

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.filter
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.sidetone.VideoSource.CAMERA
import org.sidetone.VideoSource.SCREEN
import java.nio.ByteBuffer

class RoomVideoTest {
    private suspend fun shown(room: Room, shows: Shows, vararg sources: VideoSource) {
        room.show(shows)
        room.video.bitrates.until { it.keys == sources.toSet() && it.values.all { bps -> bps > 0u } }
    }

    @Test
    fun `pictures in a room go to everybody who watches bit for bit`() = check {
        val mates = Mates.linked(usualPolicy())
        val cleo = Phones.bare()
        val third = cleo.joinLink(mates.hers.link(), guest("Cleo"))
        for (room in listOf(mates.hers, mates.his, third)) {
            room.view.until { it.members.size == 2 && it.members.all { member -> member.presence is MemberPresence.Here } }
        }
        shown(mates.hers, Shows(camera = true), CAMERA)
        val us = mates.hers.view.value.us
        val film = Film(CAMERA)
        val playing = launch { film.play(mates.hers.video) }
        for (room in listOf(mates.his, third)) {
            room.view.until { it.members.any { member -> member.member == us && member.shows == Shows(camera = true) } }
            film.check(room.video.frames.filter { it.member == us }.map { VideoFrame(it.info, it.bytes) }, 20)
        }
        playing.cancelAndJoin()
        for (member in mates.hers.members) {
            assertTrue(mates.hers.video.follows(member.member, CAMERA))
            assertTrue(mates.hers.video.figures(member.member, CAMERA)!!.framesSent >= 20u)
        }
        assertTrue(mates.his.video.figures(us, CAMERA)!!.framesReceived >= 20u)
        assertNull(mates.his.video.figures(MemberId("00".repeat(16)), CAMERA))
        cleo.close()
        mates.close()
    }

    @Test
    fun `a screen is shared beside the camera and frames of nobody else are handed in`() = check {
        val mates = Mates.linked(usualPolicy())
        val video = mates.hers.video
        assertEquals(PushedFrame.NOT_SHOWN, Film(CAMERA).push(video))
        shown(mates.hers, Shows(true, ScreenContent.TEXT), CAMERA, SCREEN)
        mates.his.view.until { it.members[0].shows == Shows(true, ScreenContent.TEXT) }
        val film = Film(SCREEN, listOf(1 shl 20))
        assertEquals(PushedFrame.QUEUED, film.push(video))
        film.check(mates.his.video.frames.map { VideoFrame(it.info, it.bytes) }, 1)
        shown(mates.hers, Shows(true), CAMERA)
        assertEquals(PushedFrame.NOT_SHOWN, Film(SCREEN).push(video))
        val (good, frame) = Film.info(CAMERA, 0, key = true) to Film.bytes(0, 100)
        assertEquals(PushedFrame.NEEDS_KEY, video.push(good.copy(key = false), frame))
        assertEquals(PushedFrame.WRONG_LENGTH, video.push(good, ByteBuffer.allocateDirect(0)))
        assertEquals(PushedFrame.WRONG_SIZE, video.push(good.copy(height = 0u), frame))
        assertEquals(PushedFrame.QUEUED, video.push(good, frame))
        mates.close()
    }

    @Test
    fun `an encoder rests while nobody wants to see and is told when to begin`() = check {
        val mates = Mates.linked(usualPolicy())
        shown(mates.hers, Shows(true), CAMERA)
        val us = mates.hers.view.value.us
        mates.his.want(us, camera = 0, screen = 0)
        mates.hers.view.until { it.wants.camera == 0.toUShort() && it.members[0].wants == Wants(0u, 0u) }
        mates.hers.video.bitrates.until { it[CAMERA] == 0uL }
        val wish = async(start = CoroutineStart.UNDISPATCHED) { mates.hers.video.keyframes.first() }
        mates.his.want(us, camera = 360)
        mates.hers.view.until { it.wants.camera == 360.toUShort() }
        mates.hers.video.bitrates.until { (it[CAMERA] ?: 0uL) > 0uL }
        val film = Film(CAMERA, listOf(60_000))
        assertTrue(PushedFrame.DROPPED in List(500) { film.push(mates.hers.video, key = it == 0) }, "a queue without end")
        assertEquals(CAMERA, wish.await())
        mates.hers.video.limit(100_000u)
        mates.hers.video.bitrates.until { (it[CAMERA] ?: 0uL) <= 100_000u }
        assertEquals(ErrorCode.NO_SUCH_MEMBER, failure { mates.his.want(MemberId("00".repeat(16))) })
        assertEquals(ErrorCode.NOT_AN_ID, failure { mates.his.want(MemberId("?")) })
        mates.close()
    }

    @Test
    fun `who leaves sees and shows nothing more`() = check {
        val mates = Mates.linked(usualPolicy())
        shown(mates.hers, Shows(true), CAMERA)
        val seen = async(start = CoroutineStart.UNDISPATCHED) { mates.hers.video.frames.toList() }
        mates.hers.leave()
        assertEquals(emptyList<RoomFrame>(), seen.await())
        mates.hers.video.bitrates.until { it.isEmpty() }
        assertEquals(PushedFrame.NO_CALL, Film(CAMERA).push(mates.hers.video))
        assertNull(mates.hers.video.poll())
        assertEquals(ErrorCode.NO_SUCH_ROOM, failure { mates.hers.show(Shows(true)) })
        mates.close()
        assertEquals(PushedFrame.CLOSED, Film(CAMERA).push(mates.his.video))
        assertNull(mates.his.video.poll())
        assertEquals(ErrorCode.CLOSED, failure { mates.his.video.limit(1u) })
        assertEquals(ErrorCode.CLOSED, failure { mates.his.video.frames.first() })
    }
}
