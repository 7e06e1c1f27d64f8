package org.sidetone

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeAll
import org.junit.jupiter.api.Test
import kotlin.time.TimeSource

class CallTest {
    @AfterEach
    fun `nobody is in a call`() = check { duo.hangUp() }

    @Test
    fun `speech goes through both phones and is heard on the other side`() = check {
        val (hers, his) = duo.talk()
        val (anna, ben) = Recording.voice("anna") to Recording.voice("ben")
        Card(duo.anna.sound, anna).use { herCard ->
            Card(duo.ben.sound, ben).use { hisCard ->
                for ((ear, mouth, other) in listOf(Triple(hisCard, herCard, ben), Triple(herCard, hisCard, anna))) {
                    // A machine that is busy spoils some seconds, not all.
                    ear.listen(mouth)
                    val chance = ear.hears(mouth, other)
                    assertTrue(chance < 0.25, "the other voice is found too: $chance")
                }
            }
        }
        val route = duo.anna.calls.until { it.firstOrNull()?.route != null }.first().route
        assertTrue(route is Route.Direct, "$route")
        hers.hangUp()
        assertEquals(CallEnd.HungUp to CallEnd.PeerHungUp, hers.ended() to his.ended())
    }

    @Test
    fun `who is muted is not heard and the other side sees it`() = check {
        val (hers, his) = duo.talk()
        assertTrue(listOf(hers, his).all { it.view.value.connectedMs!! > 1_700_000_000_000uL }, "how long they have talked can be shown")
        hers.setMicrophone(MicrophoneState.OFF)
        his.view.until { it.theirMicrophone == MicrophoneState.OFF }
        hers.setMicrophone(MicrophoneState.ON)
        his.view.until { it.theirMicrophone == MicrophoneState.ON }
        his.hangUp()
        assertEquals(CallEnd.PeerHungUp, hers.ended())
    }

    @Test
    fun `a declined call is over for both`() = check {
        val hers = duo.anna.call(duo.benId)
        val his = duo.rings(hers)
        his.decline()
        assertEquals(CallEnd.PeerDeclined to CallEnd.Declined, hers.ended() to his.ended())
        assertFalse(hers.connected())
    }

    @Test
    fun `who gives up leaves a missed call`() = check {
        val hers = duo.anna.call(duo.benId)
        val his = duo.rings(hers)
        assertEquals(CallDirection.OUTGOING to CallDirection.INCOMING, hers.direction to his.direction)
        hers.hangUp()
        assertEquals(CallEnd.Cancelled to CallEnd.Missed, hers.ended() to his.ended())
    }

    @Test
    fun `an incoming call is told once`() = check {
        val seen = MutableStateFlow(emptyList<CallId>())
        val watch = launch(start = CoroutineStart.UNDISPATCHED) { duo.ben.incoming.collect { seen.value += it.id } }
        val hers = duo.anna.call(duo.benId)
        val his = duo.rings(hers)
        seen.until { it.isNotEmpty() }
        hers.hangUp()
        his.ended()
        watch.cancelAndJoin()
        assertEquals(listOf(hers.id), seen.value)
    }

    @Test
    fun `a cancelled coroutine hangs up`() = check {
        val calling = launch { duo.anna.call(duo.benId).connected() }
        val his = duo.rings(duo.anna.of(duo.anna.calls.until { it.isNotEmpty() }.single()))
        calling.cancelAndJoin()
        assertEquals(CallEnd.Missed, his.ended())
    }

    @Test
    fun `who is in a call is busy`() = check {
        val (hers, _) = duo.talk()
        assertEquals(ErrorCode.BUSY, failure { duo.anna.call(duo.benId) })
        hers.hangUp()
    }

    @Test
    fun `a call that is over cannot be used`() = check {
        val hers = duo.anna.call(duo.benId)
        val his = duo.rings(hers)
        hers.hangUp()
        hers.ended()
        his.ended()
        assertEquals(ErrorCode.NO_SUCH_CALL, failure { hers.hangUp() })
        assertEquals(ErrorCode.NO_SUCH_CALL, failure { hers.answer() })
        assertEquals(ErrorCode.NO_SUCH_CALL, failure { hers.setMicrophone(MicrophoneState.OFF) })
    }

    @Test
    fun `only friends can be called`() = check {
        assertEquals(ErrorCode.NOT_FRIENDS, failure { duo.anna.call(UserId("ab".repeat(16))) })
    }

    @Test
    fun `the phone's sound is asked for while it is needed`() = check {
        val hers = duo.anna.call(duo.benId)
        val his = duo.rings(hers)
        duo.anna.audio.until { it == AudioIntent.CALL }
        assertEquals(AudioIntent.IDLE, duo.ben.audio.value)
        his.answer()
        duo.ben.audio.until { it == AudioIntent.CALL }
        hers.hangUp()
        for (phone in listOf(duo.anna, duo.ben)) phone.audio.until { it == AudioIntent.IDLE }
    }

    @Test
    fun `a quiet call tells little`() = check {
        val (hers, _) = duo.talk()
        var told = 0
        val began = TimeSource.Monotonic.markNow()
        val count = launch { duo.anna.events.collect { told++ } }
        // Two seconds of a sound card in a silent room.
        Card(duo.anna.sound, Recording(ShortArray(48_000))).use { it.plays(2_000) }
        count.cancelAndJoin()
        // By the seconds that passed: a busy machine makes more of them.
        val most = 5 * began.elapsedNow().inWholeMilliseconds / 1_000
        assertTrue(told <= most, "$told events, at most $most")
        hers.hangUp()
    }

    @Test
    fun `a call's screen is told what to offer and how it sounds`() = check {
        val hers = duo.anna.call(duo.benId)
        val his = duo.rings(hers)
        assertEquals(listOf(CallChoice.DECLINE, CallChoice.ANSWER) to listOf(CallChoice.HANG_UP), his.view.value.choices to hers.view.value.choices)
        his.answer()
        assertTrue(hers.connected() && his.connected())
        assertEquals(listOf(CallChoice.MICROPHONE, CallChoice.CAMERA, CallChoice.SCREEN, CallChoice.HANG_UP), hers.view.value.choices)
        val before = duo.anna.diagnostics()
        assertNull(before.quality(before, duo.benId))
        Card(duo.anna.sound, Recording.voice("ben")).use {
            Card(duo.ben.sound, Recording.voice("ben")).use { card -> card.until { duo.anna.diagnostics().quality(before, duo.benId) != null } }
        }
        hers.hangUp()
        hers.ended()
        assertEquals(emptyList<CallChoice>(), hers.view.value.choices)
    }

    @Test
    fun `a call outlives the app going to the background and back`() = check {
        val (hers, his) = duo.talk()
        duo.anna.onBackground()
        duo.anna.onForeground()
        duo.anna.networkChanged(NetworkSnapshot(NetworkKind.MOBILE, metered = true, addresses = listOf("127.0.0.1", "none")))
        duo.ben.chat(duo.annaId).send("still there?")
        duo.anna.chat(duo.benId).latest().until { all -> all.firstOrNull()?.text == "still there?" }
        his.view.until { it.state is CallState.Connected }
        val report = duo.anna.connectivity(duo.benId)
        assertEquals(Verdict.DIRECT to Cause.NONE, report.verdict to report.cause)
        duo.anna.setAddressesFor(duo.benId, AddressRule.DIRECT)
        duo.anna.setAddressesFor(duo.benId, null)
        hers.hangUp()
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
