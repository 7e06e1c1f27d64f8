package org.sidetone.sample.ui

import androidx.compose.foundation.background
import androidx.compose.foundation.layout.*
import androidx.compose.foundation.lazy.items
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.material3.MaterialTheme
import androidx.compose.runtime.*
import androidx.compose.ui.Alignment
import androidx.compose.ui.draw.clip
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import org.sidetone.*
import org.sidetone.sample.logic.*
import org.sidetone.sample.R

/** Random chat: the lobby, the search, the stranger, and what was erased. */
@Composable
fun StrangersScreen(state: StrangersState, notice: ErrorCode?, act: Act<StrangersLogic>) = when (val view = state.view) {
    is StrangerView.Lobby -> Lobby(state, notice, act)
    is StrangerView.Searching -> Search(if (view.working) R.string.search_working else R.string.searching, act)
    is StrangerView.Found -> Found(view, act)
    is StrangerView.With -> With(state, view.stranger, notice, act)
}

@Composable
private fun Lobby(state: StrangersState, notice: ErrorCode?, act: Act<StrangersLogic>) = Page(stringResource(R.string.strangers)) {
    LaunchedEffect(Unit) { act { count() } }
    Notice(notice) { act { dismiss() } }
    state.failure?.let { Banner(stringResource(wordsOf(it)), R.drawable.dice) }
    state.parting?.let { Burned(it, act) }
    Card {
        state.active?.let { Badge(pluralStringResource(R.plurals.strangers_active, it.toInt(), it.toInt()), icon = R.drawable.people) }
        Words(stringResource(R.string.lobby_text), type.bodyMedium, colors.faint)
        Field(state.nickname, { text -> act { type(text) } }, stringResource(R.string.nickname))
        Field(state.interests, { text -> act { interests(text) } }, stringResource(R.string.interests))
        val kinds = listOf(StrangerMedia.TEXT to stringResource(R.string.media_text), StrangerMedia.VOICE to stringResource(R.string.media_voice))
        Choice(kinds, state.media) { act { choose(it) } }
        Toggle(stringResource(R.string.adult), state.adult, { act { declare(it) } }, stringResource(R.string.adult_text))
        Press(stringResource(R.string.search), { act { search() } }, Modifier.fillMaxWidth(), icon = R.drawable.dice, enabled = state.ready)
    }
    Card {
        Words(stringResource(R.string.notice_title), type.titleMedium)
        Words(stringResource(R.string.notice_text), type.bodyMedium, colors.faint)
    }
}

/** What there was of the last stranger, and that it is gone. */
@Composable
private fun Burned(parting: Parting, act: Act<StrangersLogic>) = Card {
    val (held, erased) = parting.burned.held to parting.burned.erased
    var reporting by remember(parting.id) { mutableStateOf(false) }
    Badge(stringResource(R.string.burned), colors.glow, R.drawable.flame)
    Words(stringResource(wordsOf(parting.reason)), type.titleMedium)
    val all = listOf(R.string.burn_texts to (erased.texts to held.texts), R.string.burn_images to (erased.images to held.images), R.string.burn_notes to (erased.notes to held.notes), R.string.burn_keys to (erased.keys to held.keys), R.string.burn_links to (erased.links to held.links))
    all.forEach { (label, counts) ->
        Row {
            Words(stringResource(label), type.bodyMedium, colors.faint, Modifier.weight(1f))
            Words(stringResource(R.string.of_count, counts.first.toInt(), counts.second.toInt()), type.bodyMedium)
        }
    }
    val id = parting.id ?: return@Card
    if (parting.reported) return@Card Badge(stringResource(R.string.reported), icon = R.drawable.check)
    if (!reporting) return@Card Quiet(stringResource(R.string.report), { reporting = true }, icon = R.drawable.flag, danger = true)
    Words(stringResource(R.string.report_why), type.bodyMedium)
    Choice(reasons().toList(), null) { reason -> act { report(id, reason) } }
}

@Composable
private fun reasons() = mapOf(
    ReportReason.BOT to stringResource(R.string.report_bot), ReportReason.SPAM to stringResource(R.string.report_spam),
    ReportReason.ABUSE to stringResource(R.string.report_abuse), ReportReason.NUDITY to stringResource(R.string.report_nudity),
    ReportReason.MINOR to stringResource(R.string.report_minor), ReportReason.OTHER to stringResource(R.string.report_other),
)

@Composable
private fun Search(words: Int, act: Act<StrangersLogic>) = Column(Modifier.fillMaxSize().padding(24.dp)) {
    Waiting(stringResource(words), Modifier.weight(1f).fillMaxWidth())
    Press(stringResource(R.string.stop), { act { end() } }, Modifier.fillMaxWidth(), Ink(colors.well, colors.ink))
}

@Composable
private fun Found(view: StrangerView.Found, act: Act<StrangersLogic>) = Box(Modifier.fillMaxSize(), Alignment.Center) {
    Empty(R.drawable.dice, stringResource(R.string.found), view.common.joinToString(" · ").ifEmpty { stringResource(R.string.nothing_common) }) {
        Press(stringResource(if (view.accepted) R.string.waiting_for_them else R.string.meet), { act { accept() } }, Modifier.fillMaxWidth(), busy = view.accepted)
        Quiet(stringResource(R.string.skip), { act { skip() } }, Modifier.fillMaxWidth())
    }
}

@Composable
private fun With(state: StrangersState, stranger: Stranger, notice: ErrorCode?, act: Act<StrangersLogic>) = Column(Modifier.fillMaxSize()) {
    Row(Modifier.fillMaxWidth().padding(start = 24.dp, end = 8.dp, top = 10.dp), Arrangement.spacedBy(12.dp), Alignment.CenterVertically) {
        Face(stranger.nickname ?: "?", 44.dp)
        Column(Modifier.weight(1f)) {
            Words(stranger.nickname ?: stringResource(R.string.somebody), type.titleLarge, lines = 1)
            Words(if (state.typing) stringResource(R.string.typing) else stranger.common.joinToString(" · ").ifEmpty { stringResource(R.string.nothing_common) }, type.bodySmall, colors.faint, lines = 1)
        }
        if (stranger.call == null) Action(R.drawable.phone, stringResource(R.string.call), { act { call() } }, tint = colors.pine.ground)
        Action(R.drawable.flag, stringResource(R.string.block), { act { block() } }, tint = colors.danger.ground)
    }
    FlowRow(Modifier.padding(horizontal = 24.dp, vertical = 8.dp), Arrangement.spacedBy(8.dp), Arrangement.spacedBy(8.dp), Alignment.CenterVertically) {
        stranger.route?.let { Badge(stringResource(wordsOf(it)), icon = R.drawable.waves) }
        if (stranger.theirConsent && !stranger.ourConsent) Quiet(stringResource(R.string.go_direct), { act { setDirect(true) } })
        stranger.words?.let { Badge(it, Ink(colors.well, colors.ink), R.drawable.shield) } ?: Quiet(stringResource(R.string.compare_words), { act { compareWords() } }, icon = R.drawable.shield)
    }
    Notice(notice) { act { dismiss() } }
    stranger.call?.let { Calling(it, act) }
    LazyColumn(Modifier.weight(1f).fillMaxWidth(), reverseLayout = true, contentPadding = PaddingValues(16.dp, 12.dp), verticalArrangement = Arrangement.spacedBy(8.dp, Alignment.Bottom)) {
        items(state.messages.asReversed()) { message ->
            val ink = if (message.theirs) Ink(colors.card, colors.ink) else colors.tint
            val text = when (val content = message.content) {
                is StrangerContent.Text -> content.text
                is StrangerContent.Image -> stringResource(R.string.an_image)
                is StrangerContent.VoiceNote -> stringResource(R.string.voice_note) + " " + clock((content.durationMs / 1_000u).toInt())
            }
            Row(Modifier.fillMaxWidth(), if (message.theirs) Arrangement.Start else Arrangement.End, Alignment.CenterVertically) {
                Words(text, color = ink.on, modifier = Modifier.widthIn(max = 300.dp).clip(MaterialTheme.shapes.large).background(ink.ground).padding(16.dp, 11.dp))
                if (message.theirs) Action(R.drawable.eye_off, stringResource(R.string.hide), { act { hide(message.number) } }, tint = colors.faint)
            }
        }
    }
    Row(Modifier.fillMaxWidth().padding(8.dp, 6.dp, 8.dp, 12.dp), Arrangement.spacedBy(8.dp), Alignment.Bottom) {
        Press(stringResource(R.string.skip), { act { skip() } }, ink = colors.glow)
        Field(state.draft, { text -> act { write(text) } }, stringResource(R.string.write), Modifier.weight(1f), lines = 4, shape = MaterialTheme.shapes.large)
        Action(R.drawable.send, stringResource(R.string.send), { act { say() } }, Modifier.clip(CircleShape).background(colors.pine.ground), colors.pine.on, state.draft.isNotBlank())
    }
}

@Composable
private fun Calling(call: StrangerCall, act: Act<StrangersLogic>) {
    val heard = call.hearing == HearingState.ON
    Banner(wordsOf(call.state, call.direction)?.let { stringResource(it) } ?: stringResource(R.string.call_connected), R.drawable.phone, colors.tint) {
        if (CallChoice.MICROPHONE in call.choices) Action(if (heard) R.drawable.speaker else R.drawable.speaker_off, stringResource(if (heard) R.string.hear_not else R.string.hear), { act { hear(!heard) } }, tint = colors.tint.on)
        call.choices.forEach { choice ->
            val (icon, label) = faceOf(choice, call.microphone)
            val ends = choice == CallChoice.DECLINE || choice == CallChoice.HANG_UP
            Action(icon, stringResource(label), { act { choose(choice) } }, tint = if (ends) colors.danger.ground else colors.tint.on)
        }
    }
}
