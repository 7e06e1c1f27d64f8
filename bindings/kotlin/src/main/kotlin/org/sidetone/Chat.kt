package org.sidetone

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.flow.filter
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.onSubscription
import kotlin.time.Duration

/** The conversation with one friend. */
public class Chat internal constructor(
    /** With whom. */
    public val peer: UserId,
    private val client: Client,
) {
    /** Says something, now or when the friend is there, and gives its place. Once this returns it arrives once. */
    public suspend fun send(text: String): ULong = client.ask { client.core().sendText(peer, text) }

    /** The same, in answer to a message of either. */
    public suspend fun reply(to: MessageId, text: String): ULong = client.ask { client.core().reply(peer, to, text) }

    /** Gives a text of ours other words, on both phones. */
    public suspend fun edit(message: MessageId, text: String): Unit = client.ask { client.core().edit(peer, message, text) }

    /** Takes a message of ours back, on both phones. */
    public suspend fun takeBack(message: MessageId): Unit = client.ask { client.core().takeBack(peer, message) }

    /** Says what we think of a message: all of it, in place of what we thought before. */
    public suspend fun react(message: MessageId, vararg emoji: String): Unit =
        client.ask { client.core().react(peer, message, emoji.asList()) }

    /** Sends again what was not delivered. */
    public suspend fun retry(message: MessageId): Unit = client.ask { client.core().retry(peer, message) }

    /** Chooses how long messages written from now on stay; the shorter of both wishes counts, null is for ever. */
    public suspend fun setTimer(stay: Duration?): Unit =
        client.ask { client.core().setTimer(peer, stay?.inWholeSeconds?.coerceIn(0, UInt.MAX_VALUE.toLong())?.toUInt()) }

    /** Keeps what the user began to write; nothing when it is empty. */
    public suspend fun setDraft(text: String): Unit = client.ask { client.core().setDraft(peer, text) }

    /** Chooses where the conversation is kept from now on. */
    public suspend fun setStorage(rule: StorageRule): Unit = client.ask { client.core().setStorage(peer, rule) }

    /** Offers a file, which must stay where it is, as it is, until the transfer is over. Cancelling ends the wait at once. */
    public suspend fun sendFile(path: String, mime: String = "application/octet-stream"): TransferId =
        (client.ask { client.core().sendFile(peer, path, mime) }.await() as Outcome.Transfer).transfer

    /** Offers a JPEG or PNG with a small picture to show at once. */
    public suspend fun sendImage(path: String, origin: ImageOrigin = ImageOrigin.REMOVE): TransferId =
        (client.ask { client.core().sendImage(peer, path, origin) }.await() as Outcome.Transfer).transfer

    /** Ends a voice note and offers it. It is sent once: the code `NOTE_EMPTY` for one that was sent or in which nothing is. */
    public suspend fun sendVoiceNote(note: VoiceNote): TransferId =
        (client.ask { client.core().sendVoiceNote(peer, note.raw) }.await() as Outcome.Transfer).transfer

    /** One transfer with the friend, also of the past. */
    public suspend fun transfer(id: TransferId): Transfer? = client.ask { client.core().transfer(peer, id) }

    /** What is shown of a file before it is here. */
    public suspend fun preview(id: TransferId): FilePreview = client.ask { client.core().preview(peer, id) }

    /** Up to [limit] (at most 500) messages before a position, newest first. */
    public suspend fun history(limit: Int = 50, before: ULong? = null): List<Message> =
        client.ask { client.core().history(peer, before, limit.coerceAtLeast(0).toUInt()) }

    /** The user has seen everything the friend sent. */
    public suspend fun markRead(): Unit = client.ask { client.core().markRead(peer) }

    /** The user is writing. */
    public suspend fun typing(): Unit = client.ask { client.core().typing(peer) }

    /** The newest messages, again whenever something about them changes. */
    public fun latest(limit: Int = 50): Flow<List<Message>> =
        client.events.onSubscription { emit(Event.Refresh) }.filter(::concerns).conflate().map { history(limit) }

    /** Each time the friend is seen writing. */
    public val typists: Flow<Unit> = client.events.filterIsInstance<Event.Typing>().filter { it.peer == peer }.map { }

    private fun concerns(event: Event) = when (event) {
        is Event.Message -> event.peer == peer
        is Event.Marks -> event.peer == peer
        is Event.Amended -> event.peer == peer
        is Event.Refresh -> true
        else -> false
    }
}
