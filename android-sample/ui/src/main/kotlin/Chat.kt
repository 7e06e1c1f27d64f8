package org.sidetone.sample.ui

import androidx.compose.foundation.*
import androidx.compose.foundation.layout.*
import androidx.compose.foundation.lazy.items
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.material3.Icon
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.runtime.*
import androidx.compose.ui.Alignment
import androidx.compose.ui.draw.clip
import androidx.compose.ui.geometry.*
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.ImageBitmap
import androidx.compose.ui.layout.ContentScale
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalLayoutDirection
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import androidx.compose.ui.unit.LayoutDirection
import org.sidetone.*
import org.sidetone.sample.logic.*
import org.sidetone.sample.R

/** Decodes a small JPEG or PNG; each platform has its own. */
val LocalPictures = staticCompositionLocalOf<(ByteArray) -> ImageBitmap?> { { null } }

/** The conversation with one friend. */
@Composable
fun ChatScreen(state: ChatState, notice: ErrorCode?, act: Act<ChatLogic>, onBack: () -> Unit, onCall: (UserId) -> Unit, onVerify: (UserId) -> Unit) {
    val friend = state.friend
    Column(Modifier.fillMaxSize()) {
        val there = stringResource(if (state.typing) R.string.typing else if (friend?.online == true) R.string.online else R.string.away)
        TopBar(friend?.name.orEmpty(), onBack, there, { Face(friend?.name.orEmpty(), 40.dp, friend?.online == true) }) {
            if (friend == null) return@TopBar
            val seen = if (friend.verified) R.string.verified else R.string.verify
            Action(R.drawable.shield, stringResource(seen), { onVerify(friend.user) }, tint = if (friend.verified) colors.good else colors.faint)
            Action(R.drawable.phone, stringResource(R.string.call_name, friend.name), { onCall(friend.user) }, tint = colors.pine.ground)
        }
        if (!state.online) Banner(stringResource(R.string.offline_chat))
        if (friend?.changedKey != null) {
            Banner(stringResource(R.string.key_changed_banner, friend.name), R.drawable.alert) { Action(R.drawable.shield, stringResource(R.string.compare), { onVerify(friend.user) }, tint = colors.glow.on) }
        }
        Notice(notice) { act { dismiss() } }
        Box(Modifier.weight(1f).fillMaxWidth()) {
            if (state.loading) Waiting(stringResource(R.string.loading))
            else if (state.bubbles.isEmpty()) Empty(R.drawable.lock, stringResource(R.string.chat_empty), stringResource(R.string.chat_empty_text, friend?.name.orEmpty()), Modifier.align(Alignment.Center))
            else LazyColumn(Modifier.fillMaxSize(), reverseLayout = true, contentPadding = PaddingValues(16.dp, 12.dp), verticalArrangement = Arrangement.spacedBy(8.dp, Alignment.Bottom)) {
                items(state.bubbles, { it.message.position.toString() }) { Entry(it, act) }
            }
        }
        if (state.note == null) Composer(state.draft, act) else Recording(state.note!!, act)
    }
}

@Composable
private fun Entry(bubble: Bubble, act: Act<ChatLogic>) {
    val message = bubble.message
    val content = message.content
    if (content is MessageContent.Call || content is MessageContent.Timer) {
        return Box(Modifier.fillMaxWidth().padding(vertical = 4.dp), Alignment.Center) {
            Badge(summary(message) + " · " + hour(message.writtenMs), Ink(colors.well, colors.faint), if (content is MessageContent.Call) R.drawable.phone else null)
        }
    }
    val ink = if (message.theirs) Ink(colors.card, colors.ink) else colors.tint
    var chosen by remember { mutableStateOf(false) }
    Column(Modifier.fillMaxWidth(), horizontalAlignment = if (message.theirs) Alignment.Start else Alignment.End) {
        val (wide, tight) = 22.dp to 6.dp
        val shape = RoundedCornerShape(wide, wide, if (message.theirs) wide else tight, if (message.theirs) tight else wide)
        Column(Modifier.sizeIn(56.dp, 48.dp, 300.dp).clip(shape).background(ink.ground).clickable(message.id != null && content !is MessageContent.Deleted, role = Role.Button) { chosen = !chosen }, Arrangement.Center) {
            when (content) {
                is MessageContent.File -> Attachment(content, bubble, ink, act)
                else -> Words(summary(message), color = if (content is MessageContent.Text) ink.on else colors.faint, modifier = Modifier.padding(horizontal = 16.dp, vertical = 11.dp))
            }
        }
        Row(Modifier.padding(horizontal = 8.dp, vertical = 2.dp), Arrangement.spacedBy(8.dp), Alignment.CenterVertically) {
            message.reactions.forEach { Words(it.emoji, type.bodySmall) }
            val became = wordsOf(message.state)?.let { " · " + stringResource(it) }.orEmpty()
            val edited = message.editedMs?.let { " · " + stringResource(R.string.edited) }.orEmpty()
            Words(hour(message.writtenMs) + edited + became, type.labelSmall, if (message.state == MessageState.FAILED) colors.danger.ground else colors.faint)
            val id = message.id
            if (message.state == MessageState.FAILED && id != null) Quiet(stringResource(R.string.try_again), { act { retry(id) } }, danger = true)
        }
        if (chosen) Choices(message, act) { chosen = false }
    }
}

/** What may be done about a message. */
@Composable
private fun Choices(message: Message, act: Act<ChatLogic>, onDone: () -> Unit) = Row(verticalAlignment = Alignment.CenterVertically) {
    val id = message.id ?: return@Row
    REACTIONS.forEach { emoji -> Quiet(emoji, { act { react(id, emoji) }; onDone() }) }
    if (!message.theirs) Quiet(stringResource(R.string.take_back), { act { takeBack(id) }; onDone() }, danger = true)
}

private val REACTIONS = listOf("👍", "❤️", "😂")

@Composable
private fun Attachment(file: MessageContent.File, bubble: Bubble, ink: Ink, act: Act<ChatLogic>) {
    val transfer = bubble.transfer
    when (file.kind) {
        FileKind.IMAGE -> Picture(bubble, act)
        FileKind.VOICE_NOTE -> Spoken(bubble, ink, act)
        FileKind.FILE -> Row(
            Modifier.clickable(transfer?.path != null, stringResource(R.string.chat_open), Role.Button) { act { transfer?.let(::open) } }.padding(14.dp), Arrangement.spacedBy(12.dp), Alignment.CenterVertically,
        ) {
            Box(Modifier.size(44.dp).clip(CircleShape).background(ink.on.copy(alpha = .1f)), Alignment.Center) { Icon(painterResource(R.drawable.file), null, Modifier.size(22.dp), ink.on) }
            Column(Modifier.weight(1f)) {
                Words(file.name, type.titleMedium, ink.on, lines = 2)
                Words(bytes(file.size), type.bodySmall, ink.on)
            }
        }
    }
    transfer?.let { Progress(it, ink, act) }
}

@Composable
private fun Picture(bubble: Bubble, act: Act<ChatLogic>) {
    val preview = bubble.preview ?: return
    val decode = LocalPictures.current
    val small = remember(preview.thumbnail.asList()) { decode(preview.thumbnail) }
    val label = stringResource(R.string.an_image)
    val ratio = (preview.width.toFloat() / preview.height.toFloat().coerceAtLeast(1f)).coerceIn(.6f, 1.8f)
    Box(
        Modifier.width(280.dp).aspectRatio(ratio).background(colors.well).clickable(bubble.transfer?.path != null) { act { bubble.transfer?.let(::open) } }
            .semantics { contentDescription = label },
        Alignment.Center,
    ) { if (small != null) Image(small, null, Modifier.fillMaxSize(), contentScale = ContentScale.Crop) else Icon(painterResource(R.drawable.picture), null, Modifier.size(40.dp), colors.faint) }
}

@Composable
private fun Spoken(bubble: Bubble, ink: Ink, act: Act<ChatLogic>) {
    val preview = bubble.preview
    Row(Modifier.padding(8.dp).padding(end = 10.dp), Arrangement.spacedBy(8.dp), Alignment.CenterVertically) {
        Action(R.drawable.play, stringResource(R.string.play), { act { bubble.transfer?.let(::open) } }, Modifier.clip(CircleShape).background(ink.on.copy(alpha = .1f)), ink.on, bubble.transfer?.path != null)
        Waveform(preview?.waveform ?: ByteArray(0), ink.on)
        Words(clock((preview?.durationMs ?: 0u).toInt() / 1_000), type.labelMedium, ink.on)
    }
}

/** How loud it is, over time, in the direction of reading. */
@Composable
private fun Waveform(levels: ByteArray, color: Color) {
    val mirrored = LocalLayoutDirection.current == LayoutDirection.Rtl
    Canvas(Modifier.width(150.dp).height(32.dp)) {
        val bars = 36
        val step = size.width / bars
        for (bar in 0 until bars) {
            val level = if (levels.isEmpty()) 0f else (levels[(if (mirrored) bars - 1 - bar else bar) * levels.size / bars].toInt() and 0xFF) / 100f
            val tall = (size.height * level.coerceIn(.1f, 1f))
            drawRoundRect(color, Offset(bar * step, (size.height - tall) / 2), Size(step * .55f, tall), CornerRadius(step))
        }
    }
}

@Composable
private fun Progress(transfer: Transfer, ink: Ink, act: Act<ChatLogic>) {
    if (transfer.stage is TransferStage.Received) return
    Column(Modifier.padding(start = 14.dp, end = 14.dp, bottom = 10.dp), Arrangement.spacedBy(6.dp)) {
        val part = if (transfer.size == 0uL) 0f else transfer.done.toFloat() / transfer.size.toFloat()
        val said = wordsOf(transfer.stage)?.let { stringResource(it) } ?: stringResource(R.string.file_moving, bytes(transfer.done), bytes(transfer.size))
        if (transfer.stage is TransferStage.Moving) LinearProgressIndicator({ part }, Modifier.fillMaxWidth().clip(CircleShape), ink.on, ink.on.copy(alpha = .18f))
        Row(verticalAlignment = Alignment.CenterVertically) {
            Words(said, type.labelMedium, ink.on, Modifier.weight(1f))
            val id = transfer.transfer
            when (transfer.stage) {
                is TransferStage.Offered -> if (!transfer.ours) {
                    Action(R.drawable.close, stringResource(R.string.decline), { act { decline(id) } }, tint = ink.on)
                    Action(R.drawable.down, stringResource(R.string.accept), { act { accept(id) } }, tint = ink.on)
                }
                is TransferStage.Moving -> Action(R.drawable.pause, stringResource(R.string.pause), { act { pause(id) } }, tint = ink.on)
                is TransferStage.PausedByUs -> Action(R.drawable.play, stringResource(R.string.go_on), { act { resume(id) } }, tint = ink.on)
                else -> Unit
            }
        }
    }
}

@Composable
private fun Composer(draft: String, act: Act<ChatLogic>) = Row(Modifier.fillMaxWidth().padding(start = 4.dp, end = 8.dp, top = 6.dp, bottom = 12.dp), verticalAlignment = Alignment.Bottom) {
    Action(R.drawable.picture, stringResource(R.string.send_image), { act { attach(Pick.IMAGE) } }, tint = colors.faint)
    Action(R.drawable.clip, stringResource(R.string.send_file), { act { attach(Pick.FILE) } }, tint = colors.faint)
    Field(draft, { text -> act { type(text) } }, stringResource(R.string.write), Modifier.weight(1f), lines = 5, shape = MaterialTheme.shapes.large)
    val (icon: Int, label) = if (draft.isBlank()) R.drawable.mic to R.string.record else R.drawable.send to R.string.send
    Box(Modifier.padding(start = 8.dp)) {
        Action(icon, stringResource(label), { act { if (draft.isBlank()) record() else send() } }, Modifier.clip(CircleShape).background(colors.pine.ground), colors.pine.on)
    }
}

@Composable
private fun Recording(note: NoteView, act: Act<ChatLogic>) = Row(
    Modifier.fillMaxWidth().padding(8.dp, 6.dp, 8.dp, 12.dp).clip(MaterialTheme.shapes.large).background(colors.glow.ground).padding(4.dp),
    Arrangement.spacedBy(10.dp), Alignment.CenterVertically,
) {
    Action(R.drawable.close, stringResource(R.string.drop_note), { act { dropNote() } }, tint = colors.glow.on)
    Box(Modifier.size((12 + note.level.toInt() / 8).dp).clip(CircleShape).background(colors.ember.ground), Alignment.Center) {}
    Words(stringResource(R.string.recording, clock((note.durationMs / 1_000u).toInt())), type.labelLarge, colors.glow.on, Modifier.weight(1f))
    Action(R.drawable.send, stringResource(R.string.send), { act { sendNote() } }, Modifier.clip(CircleShape).background(colors.pine.ground), colors.pine.on)
}
