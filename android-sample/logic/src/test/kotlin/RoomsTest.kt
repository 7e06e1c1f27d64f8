package org.sidetone.sample.logic

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test
import org.sidetone.*

class RoomsTest {
    @Test
    fun `a room is entered by a spoken code, the floor goes round, and everybody sees the same phrase`() = check {
        val (anna, ben) = Person.registered() to Person.registered()
        anna.home.rooms.nameRoom("kitchen")
        anna.home.rooms.create()
        val hers = anna.home.rooms.state.value.room!!
        hers.openCode()
        ben.home.rooms.type(hers.state.value.code!!)
        ben.home.rooms.join()
        val his = ben.home.rooms.state.value.room!!
        for (room in listOf(hers, his)) room.state.until { it.view.members.singleOrNull()?.presence is MemberPresence.Here }
        assertEquals("kitchen", his.state.value.view.name)
        val phrase = hers.state.until { it.phrase != null && it.phrase == his.state.value.phrase }.phrase!!
        assertEquals(6, phrase.split(' ', '-').size)
        hers.press()
        hers.state.until { it.view.floor is Floor.Speaking }
        his.state.until { it.view.floor is Floor.Taken }
        his.press()
        his.state.until { it.view.floor is Floor.Queued }
        hers.release()
        his.state.until { it.view.floor is Floor.Speaking }
        his.release()
        his.type("tea is ready")
        his.say()
        assertEquals("tea is ready", hers.state.until { it.said.isNotEmpty() }.said.single().text)
        hers.share()
        assertEquals(hers.state.until { it.link != null }.link, anna.desk.shared.single())
        his.leave()
        assertNull(ben.home.rooms.state.until { it.room == null }.end)
        assertEquals(listOf("kitchen"), ben.home.rooms.state.until { it.recent.isNotEmpty() }.recent.map { it.name })
        for (one in listOf(anna, ben)) one.close()
    }

    @Test
    fun `words that open nothing are said and stay to be corrected`() = check {
        val anna = Person.registered()
        anna.home.rooms.type("not a code at all")
        anna.home.rooms.join()
        assertEquals(ErrorCode.NOT_A_SPOKEN_CODE, anna.home.rooms.notice.value)
        assertEquals("not a code at all" to false, anna.home.rooms.state.value.let { it.typed to it.busy })
        anna.close()
    }

    @Test
    fun `who lets go of the button while the phone still asks for the microphone does not speak`() = check {
        val anna = Person.registered()
        anna.home.rooms.create()
        val room = anna.home.rooms.state.value.room!!
        val answer = CompletableDeferred<Unit>().also { anna.desk.answer = it }
        val pressing = launch { room.press() }
        anna.desk.asks.until { it }
        room.release()
        answer.complete(Unit)
        pressing.join()
        room.raiseHand(true)
        assertEquals(Floor.Idle, room.state.until { it.view.hand }.view.floor)
        room.press()
        room.state.until { it.view.floor is Floor.Speaking }
        anna.close()
    }

    @Test
    fun `without the microphone the button takes no floor`() = check {
        val anna = Person.registered()
        anna.home.rooms.create()
        val room = anna.home.rooms.state.value.room!!
        anna.desk.forbidden = setOf(Permission.MICROPHONE)
        room.press()
        room.raiseHand(true)
        assertEquals(Floor.Idle, room.state.until { it.view.hand }.view.floor)
        anna.close()
    }
}
