package org.sidetone.sample.logic

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.launchIn
import kotlinx.coroutines.flow.onEach
import org.sidetone.*

/** What is left of a stranger: why it is over, what was erased, and for 30 seconds whom a report would name. */
data class Parting(val id: MatchId?, val reason: StrangerEnd, val burned: BurnReport, val reported: Boolean = false)

data class StrangersState(
    val view: StrangerView = StrangerView.Lobby(null),
    val nickname: String = "",
    val interests: String = "",
    val media: StrangerMedia = StrangerMedia.TEXT,
    /** The person says to be of age and to have read the notice. */
    val adult: Boolean = false,
    val messages: List<StrangerMessage> = emptyList(),
    val draft: String = "",
    val typing: Boolean = false,
    val parting: Parting? = null,
    val failure: SearchFailure? = null,
    /** How many are there now. */
    val active: ULong? = null,
) {
    val ready: Boolean get() = adult && nickname.isNotBlank()
}

class StrangersLogic(outer: CoroutineScope, private val client: Client, private val device: Device) :
    Logic<StrangersState>(outer, StrangersState()) {
    private val strangers = client.strangers

    init {
        strangers.view.onEach { view -> change { copy(view = view, messages = if (view is StrangerView.With) messages else emptyList()) } }
            .launchIn(scope)
        strangers.events.onEach(::note).launchIn(scope)
    }

    fun type(nickname: String) = change { copy(nickname = nickname) }

    fun interests(words: String) = change { copy(interests = words) }

    fun choose(media: StrangerMedia) = change { copy(media = media) }

    fun declare(adult: Boolean) = change { copy(adult = adult) }

    suspend fun count() = strangers.active().let { change { copy(active = it) } }

    suspend fun search() {
        change { copy(parting = null, failure = null) }
        val typed = state.value
        val interests = typed.interests.split(',').map(String::trim).filter(String::isNotEmpty)
        strangers.enter(StrangerEntry(typed.nickname.trim(), device.language, interests, typed.media, typed.adult))
    }

    suspend fun accept() = strangers.accept()

    suspend fun skip() {
        strangers.skip()
    }

    suspend fun end() {
        strangers.end()
    }

    suspend fun block() {
        strangers.block()
    }

    suspend fun report(id: MatchId, reason: ReportReason) {
        strangers.report(id, reason)
        change { copy(parting = parting?.copy(reported = true)) }
    }

    fun write(text: String) {
        change { copy(draft = text) }
        if (text.isNotEmpty()) run { strangers.typing() }
    }

    suspend fun say() {
        val text = state.value.draft.trim()
        if (text.isEmpty()) return
        strangers.say(text)
        change { copy(draft = "") }
        read()
    }

    /** Looks no more at something that the stranger sent. */
    suspend fun hide(number: ULong) {
        strangers.hide(number)
        read()
    }

    /** Plays what the stranger says, or not; they are not told. */
    suspend fun hear(on: Boolean) = strangers.setHearing(if (on) HearingState.ON else HearingState.OFF)

    suspend fun compareWords() = strangers.compareWords()

    suspend fun setDirect(direct: Boolean) = strangers.setDirect(direct)

    suspend fun call() {
        if (device.allows(Permission.MICROPHONE)) strangers.call()
    }

    suspend fun choose(choice: CallChoice) {
        when (choice) {
            CallChoice.ANSWER -> if (device.allows(Permission.MICROPHONE)) strangers.answer()
            CallChoice.DECLINE -> strangers.decline()
            CallChoice.HANG_UP -> strangers.hangUp()
            CallChoice.MICROPHONE -> strangers.stranger?.call?.let { strangers.setMicrophone(it.microphone.other) }
            CallChoice.CAMERA, CallChoice.SCREEN -> Unit
        }
    }

    private suspend fun read() = strangers.messages().let { all -> change { copy(messages = all, typing = false) } }

    private suspend fun note(event: StrangerEvent) {
        when (event) {
            is StrangerEvent.Message -> attempt { read() }
            is StrangerEvent.Typing -> change { copy(typing = true) }
            is StrangerEvent.Ended -> change { copy(parting = Parting(event.id, event.reason, event.burned), draft = "", typing = false) }
            is StrangerEvent.NotFound -> change { copy(failure = event.reason) }
            else -> Unit
        }
    }
}
