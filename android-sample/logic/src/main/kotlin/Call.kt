package org.sidetone.sample.logic

import kotlinx.coroutines.*
import kotlinx.coroutines.flow.combine
import kotlinx.coroutines.flow.launchIn
import kotlinx.coroutines.flow.onEach
import org.sidetone.*
import kotlin.time.Duration.Companion.seconds

data class CallScreenState(
    val view: CallView,
    val friend: Friend? = null,
    /** What the person may do now. */
    val choices: List<CallChoice> = view.choices,
    /** Seconds since both could speak. */
    val talkedS: Int = 0,
    /** Seconds until a call that reconnects is given up. */
    val leftS: Int = 0,
    /** How it sounded in the last seconds. */
    val quality: CallQuality? = null,
)

class CallLogic(outer: CoroutineScope, private val client: Client, private val device: Device, val call: Call) :
    Logic<CallScreenState>(outer, CallScreenState(call.view.value)) {
    private var looks = emptyList<Diagnostics>()

    init {
        call.view.combine(client.friends) { view, all -> show(view, all.find { it.user == call.peer }) }.launchIn(scope)
        device.screenEnds.onEach { attempt { call.setScreenShare(null) } }.launchIn(scope)
        scope.launch {
            while (true) {
                delay(1.seconds)
                attempt { tick() }
            }
        }
    }

    /** Does what was chosen; the microphone and the camera were allowed before. */
    suspend fun choose(choice: CallChoice) = when (choice) {
        CallChoice.ANSWER -> call.answer()
        CallChoice.DECLINE -> call.decline()
        CallChoice.HANG_UP -> call.hangUp()
        CallChoice.MICROPHONE -> call.setMicrophone(state.value.view.microphone.other)
        CallChoice.CAMERA -> call.setCamera(!state.value.view.shows.camera)
        CallChoice.SCREEN -> share(state.value.view.shows.screen == null)
    }

    override fun close() {
        device.setCamera(false, 0)
        device.stopScreen()
        super.close()
    }

    private suspend fun share(on: Boolean) {
        if (!on) return call.setScreenShare(null)
        if (!device.shareScreen()) return
        try {
            call.setScreenShare(ScreenContent.TEXT)
        } catch (error: SidetoneException) {
            device.stopScreen()
            throw error
        }
    }

    private fun show(view: CallView, friend: Friend?) {
        val shown = state.value.view.shows.screen != null
        val left = (view.state as? CallState.Reconnecting)?.let { (it.remainingMs.toInt() + 999) / 1_000 }
        change { copy(view = view, friend = friend, choices = view.choices, leftS = left ?: 0) }
        device.setCamera(view.shows.camera && CallChoice.CAMERA in view.choices, view.theirWants.camera.toInt())
        // The phone shows the screen a moment before the call says so.
        if (shown && (view.shows.screen == null || CallChoice.SCREEN !in view.choices)) device.stopScreen()
    }

    private suspend fun tick() {
        val look = client.diagnostics()
        // Five seconds: a word that was missed is not forgotten at once.
        val quality = look.quality(looks.firstOrNull() ?: look, call.peer)
        looks = looks.takeLast(4) + look
        change { copy(talkedS = if (view.state is CallState.Connected) talkedS + 1 else talkedS, leftS = (leftS - 1).coerceAtLeast(0), quality = quality) }
    }
}

internal val MicrophoneState.other get() = if (this == MicrophoneState.ON) MicrophoneState.OFF else MicrophoneState.ON
