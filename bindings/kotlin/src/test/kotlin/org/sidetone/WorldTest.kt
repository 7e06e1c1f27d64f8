package org.sidetone

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.sidetone.testkit.ServerLies
import org.sidetone.testkit.SimCall
import org.sidetone.testkit.SimWorld
import org.sidetone.testkit.TestProblem
import org.sidetone.testkit.ToneMicrophone

class WorldTest {
    private fun friends(seed: ULong): SimWorld = SimWorld(seed, 2u).apply {
        register(0u, "anna")
        register(1u, "ben")
        befriend(0u, 1u)
    }

    private fun story(seed: ULong): Pair<List<String>, ULong> = friends(seed).run {
        sendText(0u, 1u, "hello")
        handOver(1u, 3_000u)
        call(0u, 1u)
        advance(60_000u)
        log() to digest()
    }

    @Test
    fun `the same seed is the same story and another seed another`() {
        assertEquals(story(1u), story(1u))
        assertNotEquals(story(1u).second, story(2u).second)
        assertTrue(story(1u).first.any { "Message" in it })
    }

    @Test
    fun `a text arrives once although the server lies and the phone crashes`() = friends(3u).run {
        lie(ServerLies(dropOneIn = 3u, twiceOneIn = 3u, lateOneIn = 3u))
        for (number in 1..5) {
            sendText(0u, 1u, "text $number")
            crash(1u)
            advance(40_000u)
        }
        heal()
        advance(600_000u)
        assertEquals((1..5).map { "text $it" }, texts(1u, 0u))
    }

    @Test
    fun `a call goes through a handover`() = friends(4u).run {
        call(0u, 1u)
        advance(3_000u)
        assertEquals(SimCall.RINGING, callState(1u))
        answer(1u)
        advance(10_000u)
        assertEquals(SimCall.CONNECTED to SimCall.CONNECTED, callState(0u) to callState(1u))
        handOver(0u, 2_000u)
        advance(30_000u)
        assertEquals(SimCall.CONNECTED, callState(0u))
        hangUp(1u)
        advance(5_000u)
        assertEquals(SimCall.NOTHING, callState(0u))
    }

    @Test
    fun `what cannot be is a problem of the test and not its end`() {
        val world = SimWorld(5u, 2u)
        assertThrows(TestProblem::class.java) { world.register(2u, "nobody") }
        assertThrows(TestProblem::class.java) { world.call(0u, 1u) }
        assertThrows(TestProblem::class.java) { world.hangUp(0u) }
        assertThrows(TestProblem::class.java) { SimWorld(5u, 17u) }
        world.register(0u, "anna")
        assertThrows(TestProblem::class.java) { world.register(1u, "anna") }
        world.advance(1_000u)
        assertTrue(world.log().isNotEmpty())
    }

    @Test
    fun `a tone is a tone`() {
        val tone = ToneMicrophone(480u)
        val (first, second) = tone.next(20u) to tone.next(20u)
        assertEquals(1_920, first.size)
        assertTrue(first.any { it != 0.toByte() } && !first.contentEquals(second))
        assertEquals(96_000, tone.next(UInt.MAX_VALUE).size)
    }
}
