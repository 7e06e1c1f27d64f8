package org.sidetone.sample.logic

import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test
import org.sidetone.*

class StrangersTest {
    @Test
    fun `two who say to be of age meet, talk, part, and are shown that everything was erased`() = check {
        val (anna, ben) = Person.registered() to Person.registered()
        for ((one, name) in listOf(anna to "lighthouse", ben to "harbour")) {
            val lobby = one.home.strangers
            lobby.type(name)
            assertFalse(lobby.state.value.ready)
            lobby.declare(true)
            lobby.interests("sailing, radio,,")
            assertTrue(lobby.state.value.ready)
            lobby.search()
        }
        val (hers, his) = anna.home.strangers to ben.home.strangers
        for (one in listOf(hers, his)) one.state.until { (it.view as? StrangerView.With)?.stranger?.route != null }
        assertEquals(listOf("radio", "sailing"), (his.state.value.view as StrangerView.With).stranger.common.sorted())
        hers.count()
        assertTrue(hers.state.value.active!! >= 2uL)
        hers.write("hello there")
        hers.say()
        assertEquals(true, his.state.until { it.messages.isNotEmpty() }.messages.single().theirs)
        his.end()
        val parting = hers.state.until { it.parting != null && it.view is StrangerView.Lobby }.parting!!
        assertEquals(StrangerEnd.THEY_LEFT to parting.burned.held, parting.reason to parting.burned.erased)
        assertEquals(1u, parting.burned.erased.texts)
        assertTrue(hers.state.value.messages.isEmpty())
        assertEquals(1, anna.home.settings.state.until { it.burned.isNotEmpty() }.burned.size)
        for (one in listOf(anna, ben)) one.close()
    }
}
