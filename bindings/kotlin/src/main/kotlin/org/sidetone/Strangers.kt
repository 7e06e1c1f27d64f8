package org.sidetone

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.withContext

/**
 * Random chat with somebody unknown: one at a time, without an account, in memory only. What is done "with the stranger"
 * fails with the code `NO_SUCH_MATCH` when there is none any more.
 */
public class Strangers internal constructor(private val client: Client) {
    private val latest = MutableStateFlow<StrangerView>(StrangerView.Lobby(null))

    /** Where the user is among strangers. */
    public val view: StateFlow<StrangerView> = latest.asStateFlow()

    /** The stranger one is with. */
    public val stranger: Stranger? get() = (latest.value as? StrangerView.With)?.stranger

    /** What happens, as hints without content. */
    public val events: Flow<StrangerEvent> = client.events.filterIsInstance<Event.Stranger>().map { it.event }

    /** Looks for a stranger; returns once the server took the search. A coroutine cancelled meanwhile ends the search. */
    public suspend fun enter(entry: StrangerEntry) {
        val search = client.ask { client.core().enterStrangers(entry) }
        try {
            search.outcome()
        } catch (cancelled: CancellationException) {
            search.cancel()
            withContext(NonCancellable) {
                // The search is ended once nothing can begin it any more.
                quietly { search.outcome() }
                quietly { end() }
            }
            throw cancelled
        } finally {
            search.destroy()
        }
    }

    private inline fun quietly(act: () -> Unit) = try {
        act()
    } catch (_: SidetoneException) {
        // It was cancelled, or the client is closed.
    }

    /** How many wait or talk now, as the server counts them. */
    public suspend fun active(): ULong = client.ask { client.core().activeStrangers() }

    /** Takes the stranger that was found, where the entry said to ask. */
    public suspend fun accept() {
        val found = (latest.value as? StrangerView.Found)?.found ?: throw nobody()
        client.ask { client.core().acceptStranger(found) }
    }

    /** On to the next one. */
    public suspend fun skip(): BurnReport = client.ask { client.core().skipStranger() }

    /** Leaves the stranger, or the search. Everything about it is erased when this returns. */
    public suspend fun end(): BurnReport = client.ask { client.core().endStranger() }

    /** On to the next one, and never this one again today. */
    public suspend fun block(): BurnReport = client.ask { client.core().blockStranger() }

    /** Tells the operator what was wrong with a stranger, up to 30 s after it ended; with texts only before. */
    public suspend fun report(id: MatchId, reason: ReportReason, texts: List<ULong> = emptyList()): Unit =
        client.ask { client.core().reportStranger(id, reason, texts) }

    /** Asks for the stranger again from whom we parted; if they do too within 30 s, both meet. */
    public suspend fun again(id: MatchId, entry: StrangerEntry): Unit = client.ask { client.core().strangerAgain(id, entry) }

    /** Says something; gives its number in the conversation. */
    public suspend fun say(text: String): ULong = with { client.core().sayToStranger(it, text) }

    /** The user is writing. */
    public suspend fun typing(): Unit = with { client.core().typingToStranger(it) }

    /** Sends a JPEG or PNG of at most 1 MiB, without what it says about where and how it was taken. */
    public suspend fun sendImage(image: ByteArray): ULong = with { client.core().sendImageToStranger(it, image) }

    /** Ends a voice note and sends it. */
    public suspend fun sendNote(note: VoiceNote): ULong = with { client.core().sendNoteToStranger(it, note.raw) }

    /** Whether the stranger may learn this device's address: to be asked of the user. Direct once both want it. */
    public suspend fun setDirect(direct: Boolean): Unit = with { client.core().setDirectToStranger(it, direct) }

    /** Agrees on four words with the stranger; they show in [Stranger.words] a moment later. */
    public suspend fun compareWords(): Unit = with { client.core().compareWordsWithStranger(it) }

    /** What was said from a number on, oldest first; nothing once it is over. */
    public suspend fun messages(from: ULong = 0u): List<StrangerMessage> =
        stranger?.let { client.ask { client.core().strangerMessages(it.id, from) } }.orEmpty()

    /** Looks no more at something the stranger sent: it is erased here, and they are not told. */
    public suspend fun hide(number: ULong): Unit = with { client.core().hideStrangerMessage(it, number) }

    /** An image that is here whole, decoded by the library. */
    public suspend fun image(number: ULong): StrangerImage = with { client.core().strangerImage(it, number) }

    /** The sound file of a voice note that is here whole. */
    public suspend fun note(number: ULong): ByteArray = with { client.core().strangerNote(it, number) }

    /** Calls the stranger. */
    public suspend fun call(): CallId = with { client.core().callStranger(it) }

    /** Takes the stranger's call. */
    public suspend fun answer(): Unit = inCall { client.core().answerStranger(it) }

    /** Declines the stranger's call. */
    public suspend fun decline(): Unit = inCall { client.core().declineStranger(it) }

    /** Ends the call; the stranger stays. */
    public suspend fun hangUp(): Unit = inCall { client.core().hangUpStranger(it) }

    /** Lets the stranger hear us, or not. */
    public suspend fun setMicrophone(state: MicrophoneState): Unit = inCall { client.core().setStrangerMicrophone(it, state) }

    /** Plays what the stranger says, or not: they are not told. */
    public suspend fun setHearing(state: HearingState): Unit = inCall { client.core().setStrangerHearing(it, state) }

    /** Shows the stranger the camera, or no longer; frames go through [Client.video]. */
    public suspend fun setCamera(on: Boolean): Unit = inCall { client.core().showCamera(it, on) }

    /** Shares the screen with the stranger, with what is on it, or no longer: null. */
    public suspend fun setScreenShare(content: ScreenContent?): Unit = inCall { client.core().showScreen(it, content) }

    /** Tells the stranger how large their pictures are of use here, in lines; 0 for none at all. */
    public suspend fun want(camera: Int = Int.MAX_VALUE, screen: Int = Int.MAX_VALUE): Unit =
        inCall { client.core().want(it, wants(camera, screen)) }

    internal fun changed(now: StrangerView) {
        latest.value = now
    }

    private inline fun <T> with(act: (MatchId) -> T): T {
        val stranger = stranger ?: throw nobody()
        return client.ask { act(stranger.id) }
    }

    private inline fun <T> inCall(act: (CallId) -> T): T {
        val call = stranger?.call ?: throw gone(ErrorCode.NO_SUCH_CALL, "no such call")
        return client.ask { act(call.call) }
    }

    private fun nobody() = gone(ErrorCode.NO_SUCH_MATCH, "no such match")
}
