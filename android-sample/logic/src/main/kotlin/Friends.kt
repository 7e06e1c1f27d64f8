package org.sidetone.sample.logic

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.*
import org.sidetone.*

/** A friend with the conversation. */
data class FriendRow(val friend: Friend, val chat: ChatView? = null, val last: Message? = null)

data class FriendsState(
    val loading: Boolean = true,
    val me: AccountView? = null,
    val requests: List<Friend> = emptyList(),
    val rows: List<FriendRow> = emptyList(),
    val blocked: List<Friend> = emptyList(),
    /** What is typed to add somebody. */
    val typed: String = "",
    val busy: Boolean = false,
    /** Who was just asked. */
    val asked: String? = null,
)

class FriendsLogic(outer: CoroutineScope, private val client: Client) : Logic<FriendsState>(outer, FriendsState()) {
    init {
        val talks = client.events.filter { it is Event.Message || it is Event.Chat || it is Event.Marks || it is Event.Amended || it is Event.Refresh }
            .onStart { emit(Event.Refresh) }
        combine(client.friends, client.account, talks) { all, me, _ -> all to me }.conflate()
            .combine(client.online) { (all, me), _ -> attempt { show(all, me) } }.launchIn(scope)
    }

    fun type(text: String) = change { copy(typed = text, asked = null) }

    /** Asks whoever was typed, pasted or scanned to be a friend. */
    suspend fun add(text: String = state.value.typed) {
        val whom = Invitation.read(text)
        change { copy(busy = true, typed = text) }
        val done = attempt { client.befriend(whom.name, whom.key) }
        change { copy(busy = false, typed = if (done) "" else typed, asked = if (done) whom.name else null) }
    }

    suspend fun accept(user: UserId) = client.accept(user)

    suspend fun decline(user: UserId) = client.decline(user)

    suspend fun unblock(user: UserId) = client.unblock(user)

    private suspend fun show(all: List<Friend>, me: AccountView?) {
        val chats = client.chats().associateBy { it.peer }
        val rows = all.filter { it.standing == Standing.FRIEND || it.standing == Standing.ASKED_BY_US }
            .map { FriendRow(it, chats[it.user], client.chat(it.user).history(1).firstOrNull()) }
            .sortedByDescending { it.chat?.activeMs ?: 0u }
        val (asking, blocked) = all.filter { it.standing == Standing.ASKED_US } to all.filter { it.standing == Standing.BLOCKED }
        change { copy(loading = false, me = me, rows = rows, requests = asking, blocked = blocked) }
    }
}

data class VerifyState(
    val friend: Friend? = null,
    val number: String? = null,
    val code: String? = null,
    /** What comparing the scanned code said. */
    val compared: Comparison? = null,
)

/** The safety number of a friend; also where a changed key is looked at. */
class VerifyLogic(outer: CoroutineScope, private val client: Client, private val peer: UserId) :
    Logic<VerifyState>(outer, VerifyState()) {
    init {
        client.friends.combine(client.online) { all, _ -> all.find { it.user == peer } }.combine(client.account) { friend, _ ->
            attempt {
                val (number, code) = client.safetyNumber(peer) to client.safetyCode(peer)
                change { copy(friend = friend, number = number, code = code) }
            }
        }.launchIn(scope)
    }

    suspend fun scanned(code: String) {
        val compared = client.scan(peer, code)
        change { copy(compared = compared) }
    }

    /** The people compared the digits. */
    suspend fun verify(verified: Boolean) = client.setVerified(peer, verified)

    suspend fun remove() = client.unfriend(peer)

    suspend fun block() = client.block(peer)

    /** The friend's new key is theirs. */
    suspend fun acceptKey() {
        state.value.friend?.changedKey?.let { client.acceptKey(peer, it) }
    }
}
