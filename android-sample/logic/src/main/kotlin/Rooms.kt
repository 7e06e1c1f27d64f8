package org.sidetone.sample.logic

import kotlinx.coroutines.*
import kotlinx.coroutines.flow.*
import org.sidetone.*
import kotlin.time.Duration.Companion.seconds

/** The door to rooms: what is typed, and where one was. */
data class RoomsState(
    val name: String = "",
    val typed: String = "",
    val pushToTalk: Boolean = true,
    val busy: Boolean = false,
    val recent: List<RecentRoom> = emptyList(),
    val room: RoomLogic? = null,
    /** How the last room ended, unless we left it. */
    val end: RoomEnd? = null,
)

class RoomsLogic(outer: CoroutineScope, private val client: Client, private val device: Device) :
    Logic<RoomsState>(outer, RoomsState()) {
    private val us get() = RoomGuest(client.account.value?.name.orEmpty(), RoomMemory.RECENT, adult = false)

    init {
        client.rooms.onEach { attempt { client.recentRooms().let { change { copy(recent = it) } } } }.launchIn(scope)
    }

    fun nameRoom(name: String) = change { copy(name = name) }

    fun type(text: String) = change { copy(typed = text) }

    fun choose(pushToTalk: Boolean) = change { copy(pushToTalk = pushToTalk) }

    suspend fun create() = enter {
        val speaking = if (state.value.pushToTalk) Speaking.PUSH_TO_TALK else Speaking.OPEN
        client.createRoom(usualPolicy().copy(scope = RoomScope.CODE, speaking = speaking), us, state.value.name.trim().ifEmpty { null })
    }

    /** Enters by what was typed: a link, or a code that was said aloud. */
    suspend fun join(typed: String = state.value.typed) = enter {
        if (':' in typed) client.joinLink(typed.trim(), us) else client.joinCode(typed.trim(), us)
    }

    suspend fun again(recent: RecentRoom) = enter { client.rejoin(recent.room) }

    suspend fun forget(recent: RecentRoom) {
        client.forgetRoom(recent.room)
        client.recentRooms().let { change { copy(recent = it) } }
    }

    private suspend fun enter(how: suspend () -> Room) {
        change { copy(busy = true, end = null) }
        attempt {
            val room = how()
            val inside = RoomLogic(scope, room, device)
            change { copy(room = inside, typed = "", name = "") }
            scope.launch {
                val end = room.ended()
                inside.close()
                change { copy(room = null, end = end.takeIf { it != RoomEnd.LEFT }) }
            }
        }
        change { copy(busy = false) }
    }
}

/** A text or sign somebody gave in a room; nobody keeps it. */
data class Said(val member: MemberId, val text: String)

data class RoomState(
    val view: RoomView,
    val phrase: String? = null,
    val link: String? = null,
    val code: String? = null,
    val said: List<Said> = emptyList(),
    val draft: String = "",
    /** Why the button did not give us the floor. */
    val refused: FloorRefusal? = null,
    /** Seconds until we are cut off; 0 while that is far. */
    val endingS: Int = 0,
    /** Who asks us to be quiet. */
    val muteAsked: MemberId? = null,
    val missed: List<RoomEvent.Missed> = emptyList(),
)

class RoomLogic(outer: CoroutineScope, private val room: Room, private val device: Device) :
    Logic<RoomState>(outer, RoomState(room.view.value)) {
    private var held = false

    init {
        room.view.onEach { view ->
            change { copy(view = view) }
            attempt { room.groupPhrase().let { change { copy(phrase = it) } } }
        }.launchIn(scope)
        room.events.onEach(::note).launchIn(scope)
        run { room.link().let { change { copy(link = it) } } }
    }

    /** The button goes down: we speak as soon as nobody else does. */
    suspend fun press() {
        held = true
        change { copy(refused = null) }
        // Who is asked for the microphone may have let go meanwhile.
        if (device.allows(Permission.MICROPHONE) && held) room.press()
    }

    fun release() {
        held = false
        room.release()
    }

    suspend fun openCode() {
        val code = room.openCode()
        change { copy(code = code) }
    }

    fun share() = state.value.link?.let(device::share)

    fun type(text: String) = change { copy(draft = text) }

    suspend fun say() {
        val text = state.value.draft.trim()
        if (text.isEmpty()) return
        room.say(text)
        change { copy(draft = "", said = said + Said(view.us, text)) }
    }

    suspend fun raiseHand(raised: Boolean) = room.raiseHand(raised)

    suspend fun mute(muted: Boolean) {
        room.setMicrophone(if (muted) MicrophoneState.OFF else MicrophoneState.ON)
        change { copy(muteAsked = null) }
    }

    suspend fun replay(missed: RoomEvent.Missed) {
        room.replay(missed)
        change { copy(missed = this.missed - missed) }
    }

    suspend fun admit(member: MemberId) = room.admit(member)

    suspend fun kick(member: MemberId) = room.kick(member)

    suspend fun leave() = room.leave()

    private fun note(event: RoomEvent) {
        when (event) {
            is RoomEvent.Text -> change { copy(said = (said + Said(event.member, event.text)).takeLast(SAID)) }
            is RoomEvent.Reaction -> change { copy(said = (said + Said(event.member, event.emoji)).takeLast(SAID)) }
            is RoomEvent.FloorDenied -> change { copy(refused = event.reason) }
            is RoomEvent.FloorEnding -> countDown((event.remainingMs.toInt() + 999) / 1_000)
            is RoomEvent.FloorReleased, is RoomEvent.FloorTimedOut -> change { copy(endingS = 0) }
            is RoomEvent.MuteAsked -> change { copy(muteAsked = event.member) }
            is RoomEvent.Missed -> change { copy(missed = (missed + event).takeLast(SAID)) }
            is RoomEvent.CodeBurned -> change { copy(code = null) }
            else -> Unit
        }
    }

    private fun countDown(from: Int) {
        change { copy(endingS = from) }
        scope.launch {
            repeat(from) {
                delay(1.seconds)
                change { copy(endingS = (endingS - 1).coerceAtLeast(0)) }
            }
        }
    }

    private companion object {
        const val SAID = 50
    }
}
