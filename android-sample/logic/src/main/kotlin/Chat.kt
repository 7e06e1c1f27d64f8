package org.sidetone.sample.logic

import kotlinx.coroutines.*
import kotlinx.coroutines.flow.*
import org.sidetone.*
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** An entry of a conversation, with its file if it has one. */
data class Bubble(val message: Message, val transfer: Transfer? = null, val preview: FilePreview? = null)

data class ChatState(
    val friend: Friend? = null,
    val loading: Boolean = true,
    val online: Boolean = true,
    /** Newest first. */
    val bubbles: List<Bubble> = emptyList(),
    val draft: String = "",
    val typing: Boolean = false,
    /** The voice note that is spoken. */
    val note: NoteView? = null,
)

class ChatLogic(outer: CoroutineScope, private val client: Client, private val device: Device, val peer: UserId) :
    Logic<ChatState>(outer, ChatState()) {
    private val chat = client.chat(peer)
    private var note: VoiceNote? = null
    private var recording: AutoCloseable? = null
    private var quiet: Job? = null

    init {
        client.friends.combine(client.online) { all, online ->
            change { copy(friend = all.find { it.user == peer }, online = online) }
        }.launchIn(scope)
        val files = client.events.filterIsInstance<Event.Transfer>().map { it.view }
        chat.latest(PAGE).combine(client.transfers) { all, _ -> all }.conflate().onEach { attempt { show(it) } }.launchIn(scope)
        files.onEach { now -> change { copy(bubbles = bubbles.map { if (it.transfer?.transfer == now.transfer) it.copy(transfer = now) else it }) } }
            .launchIn(scope)
        chat.typists.onEach { theyType() }.launchIn(scope)
        run { client.chats().find { it.peer == peer }?.draft?.let { kept -> change { copy(draft = kept) } } }
    }

    fun type(text: String) {
        change { copy(draft = text) }
        run {
            chat.setDraft(text)
            if (text.isNotEmpty()) chat.typing()
        }
    }

    suspend fun send() {
        val text = state.value.draft.trim()
        if (text.isEmpty()) return
        chat.send(text)
        change { copy(draft = "") }
        chat.setDraft("")
    }

    suspend fun attach(what: Pick) {
        val path = device.pick(what) ?: return
        if (what == Pick.IMAGE) chat.sendImage(path) else chat.sendFile(path)
    }

    suspend fun react(message: MessageId, emoji: String) = chat.react(message, emoji)

    suspend fun takeBack(message: MessageId) = chat.takeBack(message)

    suspend fun retry(message: MessageId) = chat.retry(message)

    suspend fun accept(file: TransferId) = client.acceptFile(file)

    suspend fun decline(file: TransferId) = client.declineFile(file)

    suspend fun pause(file: TransferId) = client.pauseFile(file)

    suspend fun resume(file: TransferId) = client.resumeFile(file)

    suspend fun cancel(file: TransferId) = client.cancelFile(file)

    fun open(file: Transfer) = file.path?.let { device.open(it, file.mime) }

    /** Begins to record a voice note; false if the microphone is not allowed. */
    suspend fun record(): Boolean {
        if (!device.allows(Permission.MICROPHONE)) return false
        val note = VoiceNote().also { this.note = it }
        recording = device.record(note::push)
        scope.launch {
            while (this@ChatLogic.note === note) {
                change { copy(note = note.view) }
                delay(100.milliseconds)
            }
        }
        return true
    }

    suspend fun sendNote() = stop()?.use { chat.sendVoiceNote(it) }

    fun dropNote() = stop()?.close()

    override fun close() {
        dropNote()
        super.close()
    }

    private fun stop(): VoiceNote? {
        recording?.close()
        recording = null
        return note.also {
            note = null
            change { copy(note = null) }
        }
    }

    private suspend fun show(messages: List<Message>) {
        val known = state.value.bubbles.associateBy { it.message.position }
        val bubbles = messages.map { message ->
            val file = (message.content as? MessageContent.File)?.transfer ?: return@map Bubble(message)
            Bubble(message, chat.transfer(file), known[message.position]?.preview ?: chat.preview(file))
        }
        change { copy(loading = false, bubbles = bubbles) }
        chat.markRead()
    }

    private fun theyType() {
        change { copy(typing = true) }
        quiet?.cancel()
        quiet = scope.launch {
            delay(5.seconds)
            change { copy(typing = false) }
        }
    }

    private companion object {
        const val PAGE = 100
    }
}
