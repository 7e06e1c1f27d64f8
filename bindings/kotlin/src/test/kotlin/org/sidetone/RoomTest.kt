package org.sidetone

import kotlinx.coroutines.async
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import java.io.File

class RoomTest {
    @Test
    fun `a room is entered by a spoken code and whoever holds the button is heard`() = check {
        val (anna, ben) = Phones.bare() to Phones.bare()
        val hers = anna.createRoom(talking, guest("Anna"), "kitchen")
        val his = ben.joinCode(hers.openCode(), guest("Ben"))
        val pair = Mates(anna, ben, hers, his).also { it.linked() }
        assertEquals(listOf("kitchen", "Anna", true), listOf(his.view.value.name, his.members[0].name, his.members[0].creator))
        assertEquals(hers.groupPhrase(), his.groupPhrase())
        assertEquals(6, hers.groupPhrase()!!.split(' ', '-').size)
        Card(anna.sound, Recording.voice("anna")).use { herCard ->
            Card(ben.sound, Recording.voice("ben")).use { hisCard ->
                herCard.plays(700)
                assertTrue(herCard.loudness() + hisCard.loudness() < 10, "nobody holds the button")
                hers.press()
                his.view.until { it.floor == Floor.Taken(hers.view.value.us) }
                hers.view.until { it.floor == Floor.Speaking }
                hisCard.listen(herCard)
                assertTrue(herCard.loudness() < 10, "who speaks hears nobody")
                his.press()
                his.view.until { it.floor == Floor.Queued(1u) }
                hers.release()
                his.view.until { it.floor == Floor.Speaking }
                herCard.listen(hisCard)
                his.release()
                for (room in listOf(hers, his)) room.view.until { it.floor == Floor.Idle }
            }
        }
        pair.close()
    }

    @Test
    fun `the phone's sound is asked for as the button is pressed and let go`() = check {
        val pair = Mates.linked(talking)
        pair.anna.audio.until { it == AudioIntent.LISTEN }
        val granted = async { pair.hers.events.first { it is RoomEvent.FloorGranted } }
        kotlinx.coroutines.yield()
        pair.hers.press(FloorPriority.HIGH)
        pair.anna.audio.until { it == AudioIntent.TALK }
        granted.await()
        assertEquals(AudioIntent.LISTEN, pair.ben.audio.value)
        pair.hers.release()
        pair.anna.audio.until { it == AudioIntent.LISTEN }
        pair.hers.leave()
        pair.anna.audio.until { it == AudioIntent.IDLE }
        pair.close()
    }

    @Test
    fun `in an open room everybody is heard until they mute themselves`() = check {
        val pair = Mates.linked(usualPolicy())
        assertNull(pair.hers.floor)
        pair.anna.audio.until { it == AudioIntent.TALK }
        Card(pair.anna.sound, Recording.voice("anna")).use { herCard ->
            Card(pair.ben.sound, Recording.voice("ben")).use { hisCard ->
                hisCard.listen(herCard)
                herCard.listen(hisCard)
                pair.hers.setMicrophone(MicrophoneState.OFF)
                pair.his.view.until { it.members[0].microphone == MicrophoneState.OFF }
                hisCard.until { hisCard.loudness() <= 10 }
            }
        }
        pair.close()
    }

    @Test
    fun `texts signs and hands reach everybody who is there`() = check {
        val pair = Mates.linked(usualPolicy())
        val us = pair.hers.view.value.us
        val heard = async {
            val seen = ArrayList<RoomEvent>()
            pair.his.events.first { if (it !is RoomEvent.Changed && it !is RoomEvent.Loud) seen += it; seen.size == 3 }
            seen
        }
        kotlinx.coroutines.yield()
        pair.hers.say("hello")
        pair.hers.react("\uD83D\uDC4B")
        pair.hers.askToMute(pair.his.view.value.us)
        assertEquals(
            listOf(RoomEvent.Text(us, "hello"), RoomEvent.Reaction(us, "\uD83D\uDC4B"), RoomEvent.MuteAsked(us)),
            heard.await(),
        )
        pair.hers.raiseHand(true)
        pair.his.view.until { it.members[0].hand }
        assertEquals(pair.his.safetyNumber(us), pair.hers.safetyNumber(pair.his.view.value.us))
        assertEquals(60, pair.his.safetyNumber(us)!!.count(Char::isDigit))
        assertNull(pair.his.safetyNumber(MemberId("00".repeat(16))))
        pair.his.setVerified(us, true)
        pair.his.view.until { it.members[0].verified }
        assertEquals(ErrorCode.TEXT_LENGTH, failure { pair.hers.say("") })
        assertEquals(ErrorCode.TEXT_LENGTH, failure { pair.hers.react("x".repeat(1_000)) })
        pair.close()
    }

    @Test
    fun `who knocks waits until the creator opens`() = check {
        val pair = Mates.meet(usualPolicy().copy(door = RoomDoor.KNOCK))
        val waiting = pair.hers.view.until { it.members.singleOrNull()?.presence is MemberPresence.Waiting }.members[0]
        assertEquals("Ben", waiting.name)
        pair.hers.admit(waiting.member)
        pair.linked()
        pair.close()
    }

    @Test
    fun `the creator locks puts out and ends and nobody else does`() = check {
        val pair = Mates.linked(usualPolicy())
        val (us, them) = pair.his.view.value.us to pair.hers.view.value.us
        for (act in listOf<suspend () -> Unit>({ pair.his.kick(them) }, { pair.his.ban(them) }, { pair.his.lock(true) }, { pair.his.close() })) {
            assertEquals(ErrorCode.NOT_CREATOR, failure(act))
        }
        assertEquals(ErrorCode.NOT_CREATOR, failure { pair.his.openCode() })
        val link = pair.hers.link()
        pair.hers.lock(true)
        pair.his.view.until { it.locked }
        val late = Phones.bare()
        assertEquals(ErrorCode.ROOM_LOCKED, failure { late.joinLink(link, guest("Late")) })
        pair.hers.kick(us)
        assertEquals(RoomEnd.KICKED, pair.his.ended())
        pair.hers.lock(false)
        // The server answers this after it unlocked.
        pair.hers.openCode()
        val again = pair.ben.joinLink(link, guest("Ben"))
        assertNotEquals(us, again.view.value.us)
        pair.hers.view.until { it.members.singleOrNull()?.presence is MemberPresence.Here }
        pair.hers.close()
        assertEquals(RoomEnd.CLOSED to RoomEnd.CLOSED, pair.hers.ended() to again.ended())
        pair.anna.rooms.until { it.isEmpty() }
        late.close()
        pair.close()
    }

    @Test
    fun `a room that is remembered is entered again and forgotten`(@TempDir folder: File) = check {
        val pair = Mates.meet(usualPolicy(), RoomMemory.RECENT, File(folder, "ben.db").path).also { it.linked() }
        pair.his.leave()
        assertEquals(RoomEnd.LEFT, pair.his.ended())
        val known = pair.ben.recentRooms().single()
        assertEquals(listOf("kitchen", "Ben", false, RoomMemory.RECENT), listOf(known.name, known.shown, known.creator, known.memory))
        val again = pair.ben.rejoin(known.room)
        again.view.until { it.members.singleOrNull()?.presence is MemberPresence.Here }
        assertEquals(ErrorCode.ALREADY, failure { pair.ben.forgetRoom(known.room) })
        again.leave()
        pair.ben.forgetRoom(known.room)
        assertTrue(pair.ben.recentRooms().isEmpty())
        assertEquals(ErrorCode.NO_SUCH_ROOM, failure { pair.ben.rejoin(known.room) })
        pair.close()
    }

    @Test
    fun `what opens no room is refused with a reason`() = check {
        val phone = Phones.bare()
        val us = guest("Anna")
        val room = phone.createRoom(usualPolicy(), us)
        val link = room.link()
        assertEquals(ErrorCode.NOT_A_LINK, failure { phone.joinLink("", us) })
        assertEquals(ErrorCode.NOT_A_LINK, failure { phone.joinLink("x".repeat(1_000_000), us) })
        assertTrue(failure { phone.joinLink(link.dropLast(1), us) } in setOf(ErrorCode.DAMAGED_LINK, ErrorCode.NOT_A_LINK))
        assertEquals(ErrorCode.OTHER_SERVER, failure { phone.joinLink(link.replaceFirst("127.0.0.1", "meet.example"), us) })
        assertEquals(ErrorCode.NOT_A_SPOKEN_CODE, failure { phone.joinCode("4711", us) })
        assertEquals(ErrorCode.CODE_OVER, failure { phone.joinCode("9999-acid-lemon", us) })
        assertEquals(ErrorCode.NAME_INVALID, failure { phone.joinLink(link, guest("")) })
        assertEquals(ErrorCode.NAME_INVALID, failure { phone.createRoom(usualPolicy(), guest("a\u0000")) })
        assertEquals(ErrorCode.WRONG_POLICY, failure { phone.createRoom(usualPolicy().copy(members = 200u), us) })
        assertEquals(ErrorCode.WRONG_POLICY, failure { phone.createRoom(usualPolicy().copy(burstS = 0u), us) })
        assertEquals(ErrorCode.NO_SUCH_MEMBER, failure { room.admit(MemberId("00".repeat(16))) })
        assertEquals(ErrorCode.NOT_AN_ID, failure { room.kick(MemberId("?")) })
        assertEquals(ErrorCode.NOT_AN_ID, failure { phone.rejoin(RoomId("00")) })
        room.leave()
        assertEquals(ErrorCode.NO_SUCH_ROOM, failure { room.link() })
        assertEquals(ErrorCode.NO_SUCH_ROOM, failure { room.say("hello") })
        room.press()
        room.release()
        phone.close()
        assertEquals(ErrorCode.CLOSED, failure { room.press() })
        assertEquals(ErrorCode.CLOSED, failure { phone.createRoom(usualPolicy(), us) })
    }

    @Test
    fun `a wrong code is told and the right one enters also as a link`() = check {
        val (anna, ben) = Phones.bare() to Phones.bare()
        val hers = anna.createRoom(talking, guest("Anna"))
        val code = hers.openCode()
        val other = if (code.endsWith("acid")) "lemon" else "acid"
        val wrong = code.substringBeforeLast('-') + "-" + other
        assertEquals(ErrorCode.WRONG_CODE, failure { ben.joinCode(wrong, guest("Ben")) })
        assertFalse(hers.members.any())
        assertEquals(ErrorCode.NOT_A_SPOKEN_CODE, failure { anna.codeLink("4711") })
        val his = ben.joinLink(anna.codeLink(code), guest("Ben"))
        Mates(anna, ben, hers, his).linked()
        listOf(anna, ben).forEach { it.close() }
    }

    @Test
    fun `who closes the app is out of the room`() = check {
        val pair = Mates.linked(talking)
        val left = launch { pair.hers.events.filterIsInstance<RoomEvent.Left>().first() }
        kotlinx.coroutines.yield()
        pair.ben.close()
        assertEquals(RoomEnd.LEFT, pair.his.ended())
        left.join()
        pair.hers.view.until { it.members.isEmpty() }
        pair.close()
    }
}
