package org.sidetone.sample.logic

import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test
import org.sidetone.*

class CallTest {
    @Test
    fun `a call rings, is taken, muted and ended, and the last word stays until it was read`() = check {
        val (anna, ben) = Person.friends()
        anna.home.call(anna.friend)
        val hers = anna.home.state.until { it.call != null }.call!!
        val his = ben.home.state.until { it.call != null }.call!!
        assertEquals(CallDirection.INCOMING to ben.friend, his.state.value.view.direction to his.state.until { it.friend != null }.friend!!.user)
        ben.home.answer()
        hers.state.until { it.view.state is CallState.Connected && it.view.route is Route.Direct }
        his.state.until { it.view.state is CallState.Connected }
        hers.mute(true)
        his.state.until { it.view.theirMicrophone == MicrophoneState.OFF }
        assertNotNull(hers.state.until { it.talkedS > 0 && it.roundTripMs != null }.roundTripMs)
        anna.home.shrink(true)
        assertTrue(anna.home.state.value.callIsSmall)
        his.hangUp()
        assertEquals(CallState.Ended(CallEnd.PeerHungUp), hers.state.until { it.view.state is CallState.Ended }.view.state)
        assertNotNull(anna.home.state.value.call)
        anna.home.forgetCall()
        assertNull(anna.home.state.value.call)
        for (one in listOf(anna, ben)) one.close()
    }

    @Test
    fun `who did not allow the microphone is told so before anybody's phone rings`() = check {
        val (anna, ben) = Person.friends()
        anna.desk.forbidden = setOf(Permission.MICROPHONE)
        anna.home.call(anna.friend)
        assertEquals(Place.Forbidden(Permission.MICROPHONE) to null, anna.home.state.value.let { it.place to it.call })
        assertTrue(ben.sample.client().calls.value.isEmpty())
        anna.desk.openPermissions()
        anna.home.back()
        anna.home.call(anna.friend)
        val his = ben.home.state.until { it.call != null }.call!!
        his.decline()
        val hers = anna.home.state.until { it.call != null }.call!!
        hers.state.until { it.view.state == CallState.Ended(CallEnd.PeerDeclined) }
        for (one in listOf(anna, ben)) one.close()
    }
}
