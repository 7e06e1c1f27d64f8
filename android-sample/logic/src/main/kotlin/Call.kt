package org.sidetone.sample.logic

import kotlinx.coroutines.*
import kotlinx.coroutines.flow.combine
import kotlinx.coroutines.flow.launchIn
import org.sidetone.*
import kotlin.time.Duration.Companion.seconds

data class CallScreenState(
    val view: CallView,
    val friend: Friend? = null,
    /** Seconds since both could speak. */
    val talkedS: Int = 0,
    /** Seconds until a call that reconnects is given up. */
    val leftS: Int = 0,
    /** How long a word to them and back takes on the way. */
    val roundTripMs: Int? = null,
    /** Of a hundred pieces of sound, how many never came. */
    val lostPercent: Int = 0,
)

class CallLogic(outer: CoroutineScope, private val client: Client, private val device: Device, val call: Call) :
    Logic<CallScreenState>(outer, CallScreenState(call.view.value)) {
    init {
        call.view.combine(client.friends) { view, all ->
            val left = (view.state as? CallState.Reconnecting)?.let { (it.remainingMs.toInt() + 999) / 1_000 }
            change { copy(view = view, friend = all.find { it.user == call.peer }, leftS = left ?: 0) }
        }.launchIn(scope)
        scope.launch {
            while (true) {
                delay(1.seconds)
                attempt { tick() }
            }
        }
    }

    suspend fun decline() = call.decline()

    suspend fun hangUp() = call.hangUp()

    suspend fun mute(muted: Boolean) = call.setMicrophone(if (muted) MicrophoneState.OFF else MicrophoneState.ON)

    private suspend fun tick() {
        val on = state.value.view.state
        if (on is CallState.Ended) return
        val told = client.diagnostics()
        val trip = told.links.find { (it.peer as? LinkPeer.Friend)?.user == call.peer }?.let { (it.roundTripUs / 1_000u).toInt() }
        val came = told.sound.framesHeard + told.sound.framesLost
        val lost = if (came == 0uL) 0 else (told.sound.framesLost * 100u / came).toInt()
        change {
            copy(
                talkedS = if (on is CallState.Connected) talkedS + 1 else talkedS,
                leftS = (leftS - 1).coerceAtLeast(0), roundTripMs = trip, lostPercent = lost,
            )
        }
    }
}
