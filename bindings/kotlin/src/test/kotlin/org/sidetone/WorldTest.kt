package org.sidetone

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.sidetone.testkit.PatternCamera
import org.sidetone.testkit.ServerLies
import org.sidetone.testkit.SimCall
import org.sidetone.testkit.SimFloor
import org.sidetone.testkit.SimNat
import org.sidetone.testkit.SimRoute
import org.sidetone.testkit.SimWorld
import org.sidetone.testkit.TestPicture
import org.sidetone.testkit.TestProblem
import org.sidetone.testkit.ToneMicrophone
import org.sidetone.testkit.advance
import org.sidetone.testkit.handOver
import org.sidetone.testkit.readPattern
import kotlin.time.Duration.Companion.seconds

class WorldTest {
    private fun friends(seed: ULong): SimWorld = SimWorld(seed, 2u).apply {
        register(0u, "anna")
        register(1u, "ben")
        befriend(0u, 1u)
    }

    /** Everything that can go wrong at once. */
    private fun story(seed: ULong): Pair<List<String>, ULong> = friends(seed).run {
        lie(ServerLies(dropOneIn = 5u, twiceOneIn = 5u, lateOneIn = 5u))
        lose(4u)
        setNat(0u, SimNat.HOME)
        setNat(1u, SimNat.SYMMETRIC)
        sendText(0u, 1u, "hello")
        handOver(1u, 3.seconds)
        call(0u, 1u)
        advance(60.seconds)
        log() to digest()
    }

    /** The state of a call between phones behind these, 40 seconds after it was answered, and its route at each end. */
    private fun behind(one: SimNat, other: SimNat, relays: Boolean = true): Triple<SimCall, SimRoute?, SimRoute?> = friends(8u).run {
        setNat(0u, one)
        setNat(1u, other)
        setRelays(relays)
        call(0u, 1u)
        advance(3.seconds)
        answer(1u)
        advance(40.seconds)
        Triple(callState(0u), callRoute(0u), callRoute(1u))
    }

    @Test
    fun `routers decide which way a call takes`() {
        val on = SimCall.CONNECTED
        assertEquals(Triple(on, SimRoute.DIRECT, SimRoute.DIRECT), behind(SimNat.HOME, SimNat.HOME))
        assertEquals(Triple(on, SimRoute.DIRECT, SimRoute.DIRECT), behind(SimNat.OPEN, SimNat.SYMMETRIC))
        assertEquals(Triple(on, SimRoute.THEIR_RELAY, SimRoute.OUR_RELAY), behind(SimNat.HOME, SimNat.SYMMETRIC))
        assertEquals(Triple(on, SimRoute.BOTH_RELAYS, SimRoute.BOTH_RELAYS), behind(SimNat.SYMMETRIC, SimNat.BLOCKED))
        assertEquals(Triple(on, SimRoute.DIRECT, SimRoute.DIRECT), behind(SimNat.HOME, SimNat.HOME, relays = false))
        assertEquals(Triple(SimCall.NOTHING, null, null), behind(SimNat.SYMMETRIC, SimNat.BLOCKED, relays = false))
    }

    @Test
    fun `what is lost on the way is said again`() = friends(6u).run {
        lose(2u)
        for (number in 1..5) sendText(0u, 1u, "text $number")
        advance(60.seconds)
        assertEquals((1..5).map { "text $it" }, texts(1u, 0u))
    }

    @Test
    fun `a room's floor goes from hand to hand`() = SimWorld(7u, 3u).run {
        for (phone in 0u..2u) switchOn(phone)
        assertThrows(TestProblem::class.java) { press(0u) }
        openRoom(0u)
        joinRoom(1u, 0u)
        joinRoom(2u, 0u)
        advance(20.seconds)
        assertEquals(listOf(2u, 2u, 2u), (0u..2u).map { roomLinks(it) })
        press(1u)
        advance(1.seconds)
        press(2u)
        advance(1.seconds)
        assertEquals(listOf(SimFloor.TAKEN, SimFloor.SPEAKING, SimFloor.WAITING), (0u..2u).map { floor(it) })
        release(1u)
        advance(1.seconds)
        assertEquals(SimFloor.SPEAKING, floor(2u))
        release(2u)
        leaveRoom(2u)
        advance(5.seconds)
        assertEquals(SimFloor.FREE to 1u, floor(0u) to roomLinks(0u))
    }

    @Test
    fun `a camera's pictures show their numbers`() {
        val camera = PatternCamera(320u, 240u)
        val pictures = List(300) { camera.next() }
        assertEquals((0u until 300u).toList(), pictures.map { readPattern(it) })
        assertEquals(320 * 240 * 3 / 2, pictures[0].i420.size)
        val torn = pictures[255].i420.copyOfRange(0, 320 * 120) + pictures[7].i420.copyOfRange(320 * 120, 320 * 360)
        assertEquals(null, readPattern(TestPicture(320u, 240u, torn)))
        assertEquals(null, readPattern(TestPicture(320u, 240u, ByteArray(320 * 360))))
        assertEquals(null, readPattern(TestPicture(UInt.MAX_VALUE, UInt.MAX_VALUE, ByteArray(9))))
        val blurred = pictures[9].i420.map { (it.toUByte().toInt() / 2 + 60 + it % 5).toByte() }.toByteArray()
        assertEquals(9u, readPattern(TestPicture(320u, 240u, blurred)))
        assertThrows(TestProblem::class.java) { PatternCamera(0u, 0u) }
        assertThrows(TestProblem::class.java) { PatternCamera(33u, 32u) }
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
