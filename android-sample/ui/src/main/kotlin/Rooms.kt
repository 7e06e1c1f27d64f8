package org.sidetone.sample.ui

import androidx.compose.foundation.*
import androidx.compose.foundation.gestures.*
import androidx.compose.foundation.layout.*
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.material3.HorizontalDivider
import androidx.compose.material3.Icon
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.draw.clip
import androidx.compose.ui.input.pointer.pointerInput
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.*
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import org.sidetone.*
import org.sidetone.sample.logic.*
import org.sidetone.sample.R

/** The door: open a room, or enter one by link or spoken code. */
@Composable
fun RoomsScreen(state: RoomsState, notice: ErrorCode?, act: Act<RoomsLogic>) = Page(stringResource(R.string.rooms)) {
    Notice(notice) { act { dismiss() } }
    state.end?.let { Banner(stringResource(wordsOf(it)), R.drawable.waves) }
    Card {
        Words(stringResource(R.string.join_room), type.titleMedium)
        Words(stringResource(R.string.join_room_text), type.bodyMedium, colors.faint)
        Field(state.typed, { text -> act { type(text) } }, stringResource(R.string.code_or_link), onDone = { act { join() } })
        Press(stringResource(R.string.join), { act { join() } }, Modifier.fillMaxWidth(), enabled = state.typed.isNotBlank(), busy = state.busy && state.typed.isNotBlank())
    }
    Card {
        Words(stringResource(R.string.open_room), type.titleMedium)
        Field(state.name, { text -> act { nameRoom(text) } }, stringResource(R.string.room_name))
        Choice(listOf(true to stringResource(R.string.push_to_talk), false to stringResource(R.string.open_microphones)), state.pushToTalk) { act { choose(it) } }
        Press(stringResource(R.string.open_room), { act { create() } }, Modifier.fillMaxWidth(), Ink(colors.tint.ground, colors.tint.on), R.drawable.plus, !state.busy)
    }
    if (state.recent.isNotEmpty()) Heading(stringResource(R.string.recent_rooms))
    state.recent.forEach { recent ->
        Row(Modifier.fillMaxWidth().padding(start = 24.dp, end = 12.dp, top = 4.dp, bottom = 4.dp), Arrangement.spacedBy(12.dp), Alignment.CenterVertically) {
            Face(recent.name ?: recent.shown, 44.dp)
            Column(Modifier.weight(1f)) {
                Words(recent.name ?: stringResource(R.string.a_room), type.titleMedium, lines = 1)
                Words(stringResource(R.string.as_name, recent.shown), type.bodySmall, colors.faint, lines = 1)
            }
            Quiet(stringResource(R.string.join), { act { again(recent) } })
            Action(R.drawable.close, stringResource(R.string.forget), { act { forget(recent) } }, tint = colors.faint)
        }
    }
}

/** Inside a room: who is there, who speaks, and the button. */
@Composable
fun RoomScreen(state: RoomState, notice: ErrorCode?, act: Act<RoomLogic>) {
    val view = state.view
    Column(Modifier.fillMaxSize()) {
        val people = pluralStringResource(R.plurals.members, view.members.size + 1, view.members.size + 1)
        Row(Modifier.fillMaxWidth().padding(start = 24.dp, end = 12.dp, top = 14.dp), verticalAlignment = Alignment.CenterVertically) {
            Column(Modifier.weight(1f)) {
                Words(view.name ?: stringResource(R.string.a_room), type.headlineSmall, lines = 2)
                Words(people, type.bodyMedium, colors.faint)
            }
            Action(R.drawable.share, stringResource(R.string.share_link), { act { share() } })
            Action(R.drawable.close, stringResource(R.string.leave), { act { leave() } }, tint = colors.danger.ground)
        }
        if (!view.online) Banner(stringResource(R.string.offline_room))
        Notice(notice) { act { dismiss() } }
        state.muteAsked?.let { who -> Banner(stringResource(R.string.mute_asked, nameOf(state, who)), R.drawable.mic_off) { Quiet(stringResource(R.string.mute), { act { mute(true) } }) } }
        Column(Modifier.weight(1f).verticalScroll(rememberScrollState()).padding(top = 8.dp)) {
            Invite(state, act)
            if (view.members.isEmpty()) Words(stringResource(R.string.room_alone), type.bodyMedium, colors.faint, Modifier.padding(horizontal = 24.dp, vertical = 12.dp))
            view.members.forEach { Member(it, view.creator, (view.floor as? Floor.Taken)?.member == it.member, act) }
            state.missed.forEach { missed -> Banner(stringResource(R.string.missed, nameOf(state, missed.member)), R.drawable.play, colors.tint) { Quiet(stringResource(R.string.play), { act { replay(missed) } }) } }
            state.said.forEach { said ->
                Column(Modifier.padding(horizontal = 24.dp, vertical = 4.dp)) {
                    Words(nameOf(state, said.member), type.labelMedium, colors.faint)
                    Words(said.text)
                }
            }
            Row(Modifier.padding(16.dp, 8.dp), Arrangement.spacedBy(8.dp), Alignment.CenterVertically) {
                Field(state.draft, { text -> act { type(text) } }, stringResource(R.string.write), Modifier.weight(1f), onDone = { act { say() } })
                Action(R.drawable.send, stringResource(R.string.send), { act { say() } }, tint = colors.pine.ground, enabled = state.draft.isNotBlank())
            }
        }
        HorizontalDivider(color = colors.line)
        val floor = view.floor
        if (floor == null) Open(state, act) else PushToTalk(state, floor, act)
    }
}

/** What the others need to come in, and the words that show that everybody sees the same people. */
@Composable
private fun Invite(state: RoomState, act: Act<RoomLogic>) = Card {
    state.phrase?.let {
        Words(stringResource(R.string.group_phrase), type.labelLarge, colors.faint)
        Words(it, type.titleMedium.copy(fontFamily = FontFamily.Monospace))
        Words(stringResource(R.string.group_phrase_text), type.bodySmall, colors.faint)
    }
    val code = state.code
    if (code != null) {
        Words(stringResource(R.string.spoken_code), type.labelLarge, colors.faint)
        Words(code, type.headlineSmall.copy(fontFamily = FontFamily.Monospace), colors.pine.ground)
    } else if (state.view.creator) {
        Press(stringResource(R.string.open_code), { act { openCode() } }, Modifier.fillMaxWidth(), Ink(colors.well, colors.ink), R.drawable.key)
    }
}

@Composable
private fun Member(member: RoomMember, creator: Boolean, speaks: Boolean, act: Act<RoomLogic>) = Row(
    Modifier.fillMaxWidth().padding(start = 24.dp, end = 12.dp, top = 6.dp, bottom = 6.dp), Arrangement.spacedBy(14.dp), Alignment.CenterVertically,
) {
    Face(member.name, 44.dp, member.presence is MemberPresence.Here)
    Column(Modifier.weight(1f)) {
        Words(member.name, type.titleMedium, lines = 1)
        Words(if (speaks) stringResource(R.string.speaks) else stringResource(wordsOf(member.presence)), type.bodySmall, if (speaks) colors.ember.ground else colors.faint)
    }
    if (member.hand) Icon(painterResource(R.drawable.hand), stringResource(R.string.hand), Modifier.size(22.dp), colors.ember.ground)
    if (member.microphone == MicrophoneState.OFF) Icon(painterResource(R.drawable.mic_off), stringResource(R.string.they_are_muted), Modifier.size(22.dp), colors.faint)
    if (creator && member.presence is MemberPresence.Waiting) Action(R.drawable.check, stringResource(R.string.let_in, member.name), { act { admit(member.member) } }, tint = colors.pine.ground)
    else if (creator) Action(R.drawable.close, stringResource(R.string.put_out, member.name), { act { kick(member.member) } }, tint = colors.faint)
}

@Composable
private fun PushToTalk(state: RoomState, floor: Floor, act: Act<RoomLogic>) = Column(
    Modifier.fillMaxWidth().padding(top = 8.dp, bottom = 24.dp), Arrangement.spacedBy(12.dp), Alignment.CenterHorizontally,
) {
    val (ink, words) = floorInk(floor) to floorWords(state, floor)
    Words(state.refused?.let { stringResource(wordsOf(it)) } ?: words, type.titleMedium, modifier = Modifier.padding(horizontal = 24.dp).semantics { liveRegion = LiveRegionMode.Polite }, align = TextAlign.Center)
    if (state.endingS > 0) Words(stringResource(R.string.floor_ending, state.endingS), type.labelLarge, colors.danger.ground)
    val label = stringResource(R.string.hold_to_talk)
    Box(
        Modifier.size(148.dp).clip(CircleShape).background(ink.ground).pointerInput(Unit) {
            awaitEachGesture {
                awaitFirstDown()
                act { press() }
                waitForUpOrCancellation()
                act { release() }
            }
        }.semantics {
            contentDescription = label
            stateDescription = words
            role = Role.Button
            onClick { act { if (floor is Floor.Speaking) release() else press() }; true }
        },
        Alignment.Center,
    ) { Icon(painterResource(R.drawable.mic), null, Modifier.size(56.dp), ink.on) }
    Words(label, type.bodySmall, colors.faint)
}

@Composable
private fun floorInk(floor: Floor): Ink = when (floor) {
    is Floor.Speaking -> colors.ember
    is Floor.Idle -> colors.pine
    is Floor.Requesting, is Floor.Queued, is Floor.Reserved -> colors.glow
    is Floor.Taken -> Ink(colors.well, colors.faint)
}

@Composable
private fun floorWords(state: RoomState, floor: Floor): String = when (floor) {
    is Floor.Idle -> stringResource(R.string.floor_idle)
    is Floor.Taken -> stringResource(R.string.floor_taken, nameOf(state, floor.member))
    is Floor.Requesting -> stringResource(R.string.floor_requesting)
    is Floor.Queued -> stringResource(R.string.floor_queued, floor.place.toInt())
    is Floor.Speaking -> stringResource(R.string.floor_speaking)
    is Floor.Reserved -> stringResource(R.string.floor_reserved, nameOf(state, floor.member))
}

@Composable
private fun Open(state: RoomState, act: Act<RoomLogic>) = Row(Modifier.fillMaxWidth().padding(20.dp), Arrangement.spacedBy(12.dp)) {
    val muted = state.view.microphone == MicrophoneState.OFF
    val ink = if (muted) Ink(colors.ink, colors.paper) else Ink(colors.well, colors.ink)
    Press(stringResource(if (muted) R.string.unmute else R.string.mute), { act { mute(!muted) } }, Modifier.weight(1f), ink, if (muted) R.drawable.mic_off else R.drawable.mic)
    val raised = state.view.hand
    val hand = if (raised) colors.glow else Ink(colors.well, colors.ink)
    Press(stringResource(if (raised) R.string.lower_hand else R.string.raise_hand), { act { raiseHand(!raised) } }, Modifier.weight(1f), hand, R.drawable.hand)
}

@Composable
private fun nameOf(state: RoomState, member: MemberId): String =
    if (member == state.view.us) stringResource(R.string.you) else state.view.members.find { it.member == member }?.name ?: stringResource(R.string.somebody)
