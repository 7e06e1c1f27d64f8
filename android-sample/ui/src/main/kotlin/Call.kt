package org.sidetone.sample.ui

import androidx.compose.foundation.*
import androidx.compose.foundation.layout.*
import androidx.compose.foundation.selection.toggleable
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.material3.Icon
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.draw.clip
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.*
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import org.sidetone.*
import org.sidetone.sample.logic.*
import org.sidetone.sample.R

/** One call, from the first ring to the word with which it ended. */
@Composable
fun CallScreen(state: CallScreenState, notice: ErrorCode?, act: Act<CallLogic>, onAnswer: () -> Unit, onShrink: () -> Unit, onVerify: (UserId) -> Unit, onDone: () -> Unit) {
    val name = state.friend?.name.orEmpty()
    Column(Modifier.fillMaxSize().padding(bottom = 28.dp)) {
        Row(Modifier.fillMaxWidth().padding(8.dp)) { Action(R.drawable.down, stringResource(R.string.shrink), onShrink) }
        Notice(notice) { act { dismiss() } }
        Column(Modifier.weight(1f).fillMaxWidth().verticalScroll(rememberScrollState()), Arrangement.spacedBy(14.dp, Alignment.CenterVertically), Alignment.CenterHorizontally) {
            Face(name, 132.dp)
            Words(name, type.displaySmall, modifier = Modifier.padding(horizontal = 24.dp), align = TextAlign.Center)
            Standing(state)
            Facts(state, onVerify)
        }
        Controls(state, act, onAnswer, onDone)
    }
}

@Composable
private fun Standing(state: CallScreenState) {
    val said = wordsOf(state.view.state, state.view.direction)?.let { stringResource(it) } ?: clock(state.talkedS)
    Words(said, type.titleMedium, colors.faint, Modifier.semantics { liveRegion = LiveRegionMode.Polite }, align = TextAlign.Center)
    if (state.leftS > 0) Words(stringResource(R.string.seconds_left, state.leftS), type.headlineSmall, colors.ember.ground, align = TextAlign.Center)
    if (state.view.theirMicrophone == MicrophoneState.OFF && state.view.state is CallState.Connected) {
        Badge(stringResource(R.string.they_are_muted), colors.glow, R.drawable.mic_off)
    }
}

/** How it travels, whether it is really them, how good it is. */
@Composable
private fun Facts(state: CallScreenState, onVerify: (UserId) -> Unit) = FlowRow(
    Modifier.padding(horizontal = 24.dp), Arrangement.spacedBy(8.dp, Alignment.CenterHorizontally), Arrangement.spacedBy(8.dp), Alignment.CenterVertically,
) {
    state.view.route?.let { Badge(stringResource(wordsOf(it)), if (it is Route.Direct) colors.tint else colors.glow, R.drawable.waves) }
    state.roundTripMs?.let { Badge(stringResource(R.string.quality, it, state.lostPercent), Ink(colors.well, colors.ink)) }
    val friend = state.friend ?: return@FlowRow
    if (friend.verified) Badge(stringResource(R.string.verified), icon = R.drawable.shield)
    else Quiet(stringResource(R.string.verify), { onVerify(friend.user) }, icon = R.drawable.shield)
}

@Composable
private fun Controls(state: CallScreenState, act: Act<CallLogic>, onAnswer: () -> Unit, onDone: () -> Unit) {
    val ringing = state.view.state is CallState.Ringing && state.view.direction == CallDirection.INCOMING
    Row(Modifier.fillMaxWidth().padding(horizontal = 20.dp), Arrangement.SpaceEvenly) {
        if (state.view.state is CallState.Ended) return@Row Press(stringResource(R.string.done), onDone, Modifier.weight(1f))
        if (ringing) {
            Round(R.drawable.hang_up, stringResource(R.string.decline), colors.danger) { act { decline() } }
            Round(R.drawable.phone, stringResource(R.string.answer), colors.pine, onAnswer)
            return@Row
        }
        val muted = state.view.microphone == MicrophoneState.OFF
        Switching(if (muted) R.drawable.mic_off else R.drawable.mic, stringResource(R.string.mute), muted) { act { mute(it) } }
        Round(R.drawable.hang_up, stringResource(R.string.hang_up), colors.danger) { act { hangUp() } }
    }
}

@Composable
private fun Round(icon: Int, label: String, ink: Ink, onClick: () -> Unit) =
    Under(label) { Box(Modifier.size(72.dp).clip(CircleShape).background(ink.ground).clickable(role = Role.Button, onClick = onClick).semantics { contentDescription = label }, Alignment.Center) { Icon(painterResource(icon), null, Modifier.size(30.dp), ink.on) } }

@Composable
private fun Switching(icon: Int, label: String, on: Boolean, onChange: (Boolean) -> Unit) = Under(label) {
    val ink = if (on) Ink(colors.ink, colors.paper) else Ink(colors.well, colors.ink)
    Box(
        Modifier.size(72.dp).clip(CircleShape).background(ink.ground).toggleable(on, role = Role.Switch, onValueChange = onChange).semantics { contentDescription = label },
        Alignment.Center,
    ) { Icon(painterResource(icon), null, Modifier.size(28.dp), ink.on) }
}

@Composable
private fun Under(label: String, button: @Composable ColumnScope.() -> Unit) = Column(Modifier.width(104.dp), Arrangement.spacedBy(8.dp), Alignment.CenterHorizontally) {
    button()
    Words(label, type.labelMedium, colors.faint, align = TextAlign.Center)
}

/** The call as a bar, while something else is looked at. */
@Composable
fun CallBar(state: CallScreenState, onOpen: () -> Unit) = Row(
    Modifier.fillMaxWidth().background(colors.pine.ground).clickable(role = Role.Button, onClick = onOpen).defaultMinSize(minHeight = 52.dp).padding(horizontal = 24.dp),
    Arrangement.spacedBy(12.dp), Alignment.CenterVertically,
) {
    Icon(painterResource(R.drawable.phone), null, Modifier.size(20.dp), colors.pine.on)
    Words(state.friend?.name.orEmpty(), type.titleMedium, colors.pine.on, Modifier.weight(1f), lines = 1)
    val said = wordsOf(state.view.state, state.view.direction)?.let { stringResource(it) } ?: clock(state.talkedS)
    Words(said, type.labelLarge, colors.pine.on)
}
