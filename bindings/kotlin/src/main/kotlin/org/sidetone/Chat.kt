package org.sidetone

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.flow.filter
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.onStart

/** The conversation with one friend. */
public class Chat internal constructor(
    /** With whom. */
    public val peer: UserId,
    private val client: Client,
) {
    /** Says something, now or when the friend is there, and gives its place. Once this returns it arrives once. */
    public suspend fun send(text: String): ULong = client.ask { client.core().sendText(peer, text) }

    /** Up to [limit] (at most 500) messages before a position, newest first. */
    public suspend fun history(limit: Int = 50, before: ULong? = null): List<Message> =
        client.ask { client.core().history(peer, before, limit.coerceAtLeast(0).toUInt()) }

    /** The user has seen everything the friend sent. */
    public suspend fun markRead(): Unit = client.ask { client.core().markRead(peer) }

    /** The user is writing. */
    public suspend fun typing(): Unit = client.ask { client.core().typing(peer) }

    /** The newest messages, again whenever something about them changes. */
    public fun latest(limit: Int = 50): Flow<List<Message>> =
        client.events.filter(::concerns).map { }.onStart { emit(Unit) }.conflate().map { history(limit) }

    /** Each time the friend is seen writing. */
    public val typists: Flow<Unit> = client.events.filterIsInstance<Event.Typing>().filter { it.peer == peer }.map { }

    private fun concerns(event: Event) = when (event) {
        is Event.Message -> event.peer == peer
        is Event.Marks -> event.peer == peer
        is Event.Refresh -> true
        else -> false
    }
}
