package org.sidetone.sample.logic

import kotlinx.coroutines.launch
import kotlinx.coroutines.CompletableDeferred
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
        assertEquals(listOf(CallChoice.DECLINE, CallChoice.ANSWER), his.state.value.choices)
        ben.home.choose(CallChoice.ANSWER)
        hers.state.until { it.view.state is CallState.Connected && it.view.route is Route.Direct }
        his.state.until { it.view.state is CallState.Connected }
        anna.home.choose(CallChoice.MICROPHONE)
        his.state.until { it.view.theirMicrophone == MicrophoneState.OFF }
        hers.state.until { it.talkedS > 0 }
        anna.home.shrink(true)
        assertTrue(anna.home.state.value.callIsSmall)
        ben.home.choose(CallChoice.HANG_UP)
        assertEquals(CallState.Ended(CallEnd.PeerHungUp), hers.state.until { it.view.state is CallState.Ended }.view.state)
        assertNotNull(anna.home.state.value.call)
        anna.home.forgetCall()
        assertNull(anna.home.state.value.call)
        for (one in listOf(anna, ben)) one.close()
    }

    @Test
    fun `pictures are shown while they are wanted, and the camera is closed when the call is over`() = check {
        val (anna, ben) = Person.friends()
        anna.home.call(anna.friend)
        ben.home.state.until { it.call != null }
        ben.home.choose(CallChoice.ANSWER)
        val (hers, his) = anna.home.state.value.call!! to ben.home.state.value.call!!
        hers.state.until { CallChoice.CAMERA in it.choices }
        anna.desk.forbidden = setOf(Permission.CAMERA)
        anna.home.choose(CallChoice.CAMERA)
        assertEquals(Place.Forbidden(Permission.CAMERA) to true, anna.home.state.value.let { it.place to it.callIsSmall })
        anna.desk.openPermissions()
        anna.home.choose(CallChoice.CAMERA)
        his.state.until { it.view.theirShows == Shows(true, null) }
        anna.desk.camera.until { it }
        anna.desk.mayShare = false
        hers.choose(CallChoice.SCREEN)
        anna.desk.mayShare = true
        val answer = CompletableDeferred<Unit>().also { anna.desk.answer = it }
        val sharing = launch { hers.choose(CallChoice.SCREEN) }
        anna.desk.screen.until { it }
        his.choose(CallChoice.MICROPHONE)
        hers.state.until { it.view.theirMicrophone == MicrophoneState.OFF }
        answer.complete(Unit)
        sharing.join()
        his.state.until { it.view.theirShows == Shows(true, ScreenContent.TEXT) }
        assertTrue(anna.desk.screen.value)
        anna.desk.screenEnds.emit(Unit)
        his.state.until { it.view.theirShows == Shows(true, null) }
        anna.desk.screen.until { !it }
        anna.home.choose(CallChoice.SCREEN)
        his.state.until { it.view.theirShows.screen != null }
        his.choose(CallChoice.HANG_UP)
        hers.state.until { it.choices.isEmpty() }
        anna.desk.camera.until { !it }
        anna.desk.screen.until { !it }
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
        his.choose(CallChoice.DECLINE)
        val hers = anna.home.state.until { it.call != null }.call!!
        hers.state.until { it.view.state == CallState.Ended(CallEnd.PeerDeclined) }
        for (one in listOf(anna, ben)) one.close()
    }
}
