package org.sidetone

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.withContext

/** One call, from its first ring to its end. */
public class Call internal constructor(first: CallView, private val client: Client) {
    private val latest = MutableStateFlow(first)

    /** Which. */
    public val id: CallId = first.call

    /** With whom. */
    public val peer: UserId = first.peer

    /** Who called. */
    public val direction: CallDirection = first.direction

    /** How it stands; ends with [CallState.Ended]. */
    public val view: StateFlow<CallView> = latest.asStateFlow()

    /** How it stands now. */
    public val state: CallState get() = latest.value.state

    /** Takes the call. */
    public suspend fun answer(): Unit = client.ask { client.core().answer(id) }

    /** Declines the call. */
    public suspend fun decline(): Unit = client.ask { client.core().declineCall(id) }

    /** Ends the call, or gives up calling. */
    public suspend fun hangUp(): Unit = client.ask { client.core().hangUp(id) }

    /** Lets the other side hear us, or not. */
    public suspend fun setMicrophone(state: MicrophoneState): Unit = client.ask { client.core().setMicrophone(id, state) }

    /** Shows the camera, or no longer; frames are taken once [Video.bitrates] says how much. */
    public suspend fun setCamera(on: Boolean): Unit = client.ask { client.core().showCamera(id, on) }

    /** Shares the screen, with what is on it, or no longer: null. */
    public suspend fun setScreenShare(content: ScreenContent?): Unit = client.ask { client.core().showScreen(id, content) }

    /** Tells the other side how large its pictures are of use here, in lines; 0 for none at all. */
    public suspend fun want(camera: Int = Int.MAX_VALUE, screen: Int = Int.MAX_VALUE): Unit =
        client.ask { client.core().want(id, wants(camera, screen)) }

    /**
     * Waits until both can speak; the answer is false if the call ended before. A coroutine that is cancelled meanwhile
     * hangs up.
     */
    public suspend fun connected(): Boolean = try {
        view.first { it.state is CallState.Connected || it.state is CallState.Ended }.state is CallState.Connected
    } catch (cancelled: CancellationException) {
        withContext(NonCancellable) {
            try {
                hangUp()
            } catch (_: SidetoneException) {
                // It is over already.
            }
        }
        throw cancelled
    }

    /** Waits for the end. */
    public suspend fun ended(): CallEnd =
        (view.first { it.state is CallState.Ended }.state as CallState.Ended).reason

    /** The client is closed, which hangs up. */
    internal fun over() = changed(latest.value.copy(state = CallState.Ended(CallEnd.HungUp)))

    internal fun changed(now: CallView) {
        if (latest.value.state !is CallState.Ended) latest.value = now
    }
}

/** Lines as the library counts them. */
internal fun wants(camera: Int, screen: Int): Wants {
    fun lines(wanted: Int) = wanted.coerceIn(0, 0xffff).toUShort()
    return Wants(lines(camera), lines(screen))
}

/** Every call that begins to ring here, once. */
internal fun Flow<List<CallView>>.ringing(): Flow<CallView> = flow {
    var before = emptySet<CallId>()
    collect { now ->
        val ringing = now.filter { it.state is CallState.Ringing && it.direction == CallDirection.INCOMING }
        ringing.filter { it.call !in before }.forEach { emit(it) }
        before = ringing.mapTo(HashSet()) { it.call }
    }
}
