package org.sidetone.sample.logic

import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test
import kotlinx.coroutines.delay
import org.sidetone.*
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs
import kotlin.math.sin

class StrangersTest {
    private val StrangerView.choices get() = (this as? StrangerView.With)?.stranger?.call?.choices.orEmpty()

    /** Whether anything is played in a second in which the other speaks. */
    private suspend fun heard(mouth: Client, ear: Client): Boolean {
        val (said, played) = List(2) { ByteBuffer.allocateDirect(960).order(ByteOrder.nativeOrder()) }
        for (i in 0 until 480) said.putShort(2 * i, (9_000 * sin(i * .13)).toInt().toShort())
        return (1..100).count {
            mouth.sound.push(said.clear())
            ear.sound.pull(played.clear())
            delay(10)
            (0 until 480).any { abs(played.getShort(2 * it).toInt()) > 500 }
        } > 0
    }

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
        his.hide(his.state.value.messages.single().number)
        assertTrue(his.state.value.messages.isEmpty())
        hers.call()
        his.state.until { it.view.choices == listOf(CallChoice.DECLINE, CallChoice.ANSWER) }
        his.choose(CallChoice.ANSWER)
        for (one in listOf(hers, his)) one.state.until { CallChoice.MICROPHONE in it.view.choices }
        suspend fun hears(state: HearingState) =
            his.state.until { (it.view as? StrangerView.With)?.stranger?.call?.hearing == state }
        hears(HearingState.ON)
        @Suppress("ControlFlowWithEmptyBody")
        while (!heard(anna.sample.client(), ben.sample.client()));
        his.hear(false)
        hears(HearingState.OFF)
        @Suppress("ControlFlowWithEmptyBody")
        while (heard(anna.sample.client(), ben.sample.client()));
        his.hear(true)
        hears(HearingState.ON)
        his.choose(CallChoice.HANG_UP)
        his.end()
        val parting = hers.state.until { it.parting != null && it.view is StrangerView.Lobby }.parting!!
        assertEquals(StrangerEnd.THEY_LEFT to parting.burned.held, parting.reason to parting.burned.erased)
        assertEquals(1u, parting.burned.erased.texts)
        assertTrue(hers.state.value.messages.isEmpty())
        assertEquals(1, anna.home.settings.state.until { it.burned.isNotEmpty() }.burned.size)
        for (one in listOf(anna, ben)) one.close()
    }
}
