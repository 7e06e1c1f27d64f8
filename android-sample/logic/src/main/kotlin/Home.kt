package org.sidetone.sample.logic

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.*
import org.sidetone.*

/** The four pages. */
enum class Tab { FRIENDS, ROOMS, STRANGERS, SETTINGS }

/** What lies over the pages. */
sealed interface Place {
    data object Tabs : Place

    data object Add : Place

    data class Chatting(val logic: ChatLogic) : Place

    data class Verifying(val logic: VerifyLogic) : Place

    /** Something was not allowed that is needed. */
    data class Forbidden(val permission: Permission) : Place
}

data class HomeState(
    val tab: Tab = Tab.FRIENDS,
    val place: Place = Place.Tabs,
    val online: Boolean = true,
    val unread: Int = 0,
    /** The call that is on, or was until a moment ago. */
    val call: CallLogic? = null,
    /** Whether the call is only a bar at the top. */
    val callIsSmall: Boolean = false,
)

/** Who is signed in: the pages, what lies over them, and the call. */
class Home(outer: CoroutineScope, val client: Client, val device: Device) : Logic<HomeState>(outer, HomeState()) {
    val friends = FriendsLogic(scope, client)
    val rooms = RoomsLogic(scope, client, device)
    val strangers = StrangersLogic(scope, client, device)
    val settings = SettingsLogic(scope, client, device)

    init {
        combine(client.online, client.friends) { online, all -> change { copy(online = online, unread = all.sumOf { it.unread.toInt() }) } }
            .launchIn(scope)
        client.calls.onEach(::onCalls).launchIn(scope)
        run { device.allows(Permission.NOTIFICATIONS) }
    }

    fun show(tab: Tab) = change { copy(tab = tab, place = Place.Tabs) }

    fun add() = go(Place.Add)

    /** A link was followed: what it says stands in its field, and the person decides. */
    fun open(link: String) {
        val isFriend = Invitation.isOne(link)
        show(if (isFriend) Tab.FRIENDS else Tab.ROOMS)
        if (isFriend) friends.type(link).also { add() } else rooms.type(link)
    }

    fun forbidden(permission: Permission) {
        shrink(true)
        go(Place.Forbidden(permission))
    }

    fun back() = go(Place.Tabs)

    fun chat(peer: UserId) = go(Place.Chatting(ChatLogic(scope, client, device, peer)))

    fun verify(peer: UserId) = go(Place.Verifying(VerifyLogic(scope, client, peer)))

    /** Calls a friend, once the microphone is allowed. */
    suspend fun call(peer: UserId) = with(Permission.MICROPHONE) { show(client.call(peer)) }

    /** Does what was chosen about the call, once what it needs is allowed. */
    suspend fun choose(choice: CallChoice) {
        val call = state.value.call ?: return
        when (choice) {
            CallChoice.ANSWER -> with(Permission.MICROPHONE) { call.choose(choice) }
            CallChoice.CAMERA -> with(Permission.CAMERA) { call.choose(choice) }
            else -> call.choose(choice)
        }
    }

    fun shrink(small: Boolean) = change { copy(callIsSmall = small) }

    /** The last word about a call was read. */
    fun forgetCall() = change { copy(call = null).also { call?.close() } }

    private suspend fun with(permission: Permission, act: suspend () -> Unit) {
        if (device.allows(permission)) act() else forbidden(permission)
    }

    private fun onCalls(all: List<CallView>) {
        all.firstOrNull { it.call != state.value.call?.call?.id }?.let { show(client.of(it)) }
    }

    private fun show(call: Call) = change {
        if (this.call?.call?.id == call.id) return@change this
        this.call?.close()
        copy(call = CallLogic(scope, client, device, call), callIsSmall = false)
    }

    private fun go(place: Place) = change {
        val left = this.place
        if (left is Place.Chatting) left.logic.close()
        if (left is Place.Verifying) left.logic.close()
        copy(place = place)
    }
}
