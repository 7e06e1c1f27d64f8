package org.sidetone.sample.ui

import androidx.compose.foundation.*
import androidx.compose.foundation.layout.*
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.runtime.Composable
import androidx.compose.runtime.staticCompositionLocalOf
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

/** Where one source of the other side's pictures is seen; each platform has its own. */
val LocalStage = staticCompositionLocalOf<@Composable (VideoSource, Modifier) -> Unit> { { _, modifier -> Box(modifier) } }

/** Where the person sees what their camera sees. */
val LocalMirror = staticCompositionLocalOf<@Composable (Modifier) -> Unit> { { modifier -> Box(modifier) } }

/** One call, from the first ring to the word with which it ended. */
@Composable
fun CallScreen(state: CallScreenState, notice: ErrorCode?, act: Act<CallLogic>, onChoose: (CallChoice) -> Unit, onShrink: () -> Unit, onVerify: (UserId) -> Unit, onDone: () -> Unit) {
    Column(Modifier.fillMaxSize().padding(bottom = 24.dp)) {
        Row(Modifier.fillMaxWidth().padding(8.dp)) { Action(R.drawable.down, stringResource(R.string.shrink), onShrink) }
        Notice(notice) { act { dismiss() } }
        val shows = state.view.theirShows
        val pictures = listOfNotNull(VideoSource.SCREEN.takeIf { shows.screen != null }, VideoSource.CAMERA.takeIf { shows.camera }).takeIf { state.choices.isNotEmpty() }.orEmpty()
        Column(Modifier.weight(1f).fillMaxWidth().verticalScroll(rememberScrollState()), Arrangement.spacedBy(14.dp, Alignment.CenterVertically), Alignment.CenterHorizontally) {
            if (pictures.isEmpty()) Face(state.friend?.name.orEmpty(), 132.dp) else Seen(pictures, state.friend?.name.orEmpty())
            About(state, onVerify)
        }
        Spacer(Modifier.height(16.dp))
        Controls(state, onChoose, onDone)
    }
    if (state.view.shows.camera && state.choices.isNotEmpty()) Ourselves()
}

/** What the other side sees of us, in a corner. */
@Composable
private fun Ourselves() = Box(Modifier.fillMaxWidth().padding(16.dp), Alignment.TopEnd) {
    val label = stringResource(R.string.you)
    LocalMirror.current(Modifier.size(84.dp, 112.dp).clip(MaterialTheme.shapes.medium).background(colors.well).semantics { contentDescription = label; role = Role.Image })
}

/** Their screen, or their camera; the camera lies in a corner of the screen. */
@Composable
private fun Seen(pictures: List<VideoSource>, name: String) = Box(
    Modifier.fillMaxWidth().padding(horizontal = 16.dp).aspectRatio(1f).clip(MaterialTheme.shapes.large).background(colors.well)
        .semantics { contentDescription = name; role = Role.Image },
) {
    LocalStage.current(pictures.first(), Modifier.fillMaxSize())
    if (pictures.size > 1) LocalStage.current(pictures.last(), Modifier.align(Alignment.BottomEnd).padding(12.dp).size(120.dp).clip(MaterialTheme.shapes.medium))
}

@Composable
private fun About(state: CallScreenState, onVerify: (UserId) -> Unit) {
    Words(state.friend?.name.orEmpty(), type.displaySmall, modifier = Modifier.padding(horizontal = 24.dp).semantics { heading() }, align = TextAlign.Center)
    val said = wordsOf(state.view.state, state.view.direction)?.let { stringResource(it) } ?: clock(state.talkedS)
    Words(said, type.titleMedium, colors.faint, Modifier.padding(horizontal = 24.dp).semantics { liveRegion = LiveRegionMode.Polite }, align = TextAlign.Center)
    if (state.leftS > 0) Words(stringResource(R.string.seconds_left, state.leftS), type.headlineSmall, colors.ember.ground, align = TextAlign.Center)
    Facts(state, onVerify)
}

/** How it travels, how it sounds, whether it is really them. */
@Composable
private fun Facts(state: CallScreenState, onVerify: (UserId) -> Unit) = FlowRow(
    Modifier.padding(horizontal = 24.dp), Arrangement.spacedBy(8.dp, Alignment.CenterHorizontally), Arrangement.spacedBy(8.dp), Alignment.CenterVertically,
) {
    if (state.view.theirMicrophone == MicrophoneState.OFF && state.choices.isNotEmpty()) Badge(stringResource(R.string.they_are_muted), colors.glow, R.drawable.mic_off)
    state.view.route?.let { Badge(stringResource(wordsOf(it)), if (it is Route.Direct) colors.tint else colors.glow, R.drawable.waves) }
    state.quality?.let { Badge(stringResource(wordsOf(it)), if (it == CallQuality.POOR) colors.danger else Ink(colors.well, colors.ink)) }
    val friend = state.friend ?: return@FlowRow
    if (friend.verified) Badge(stringResource(R.string.verified), icon = R.drawable.shield)
    else Quiet(stringResource(R.string.verify), { onVerify(friend.user) }, icon = R.drawable.shield)
}

@Composable
private fun Controls(state: CallScreenState, onChoose: (CallChoice) -> Unit, onDone: () -> Unit) = Row(Modifier.fillMaxWidth().padding(horizontal = 12.dp), Arrangement.SpaceEvenly) {
    if (state.choices.isEmpty()) Press(stringResource(R.string.done), onDone, Modifier.weight(1f).padding(horizontal = 12.dp))
    state.choices.forEach { choice ->
        val (icon, label) = faceOf(choice, state.view.microphone, state.view.shows)
        val (text, ink) = stringResource(label) to inkOf(choice, state.view)
        Column(Modifier.weight(1f), Arrangement.spacedBy(8.dp), Alignment.CenterHorizontally) {
            Box(Modifier.size(68.dp).clip(CircleShape).background(ink.ground).clickable(role = Role.Button) { onChoose(choice) }.semantics { contentDescription = text }, Alignment.Center) {
                Icon(painterResource(icon), null, Modifier.size(28.dp), ink.on)
            }
            Words(text, type.labelMedium, colors.faint, Modifier.clearAndSetSemantics { }, align = TextAlign.Center)
        }
    }
}

/** The sign and the words of what may be done about a call, as things are. */
fun faceOf(choice: CallChoice, microphone: MicrophoneState, shows: Shows? = null): Pair<Int, Int> = when (choice) {
    CallChoice.ANSWER -> R.drawable.phone to R.string.answer
    CallChoice.DECLINE -> R.drawable.hang_up to R.string.decline
    CallChoice.HANG_UP -> R.drawable.hang_up to R.string.hang_up
    CallChoice.MICROPHONE -> if (microphone == MicrophoneState.ON) R.drawable.mic to R.string.mute else R.drawable.mic_off to R.string.unmute
    CallChoice.CAMERA -> R.drawable.camera to if (shows?.camera == true) R.string.call_camera_off else R.string.call_camera
    CallChoice.SCREEN -> R.drawable.screen to if (shows?.screen != null) R.string.call_screen_off else R.string.call_screen
}

@Composable
private fun inkOf(choice: CallChoice, view: CallView): Ink {
    val changed = when (choice) {
        CallChoice.ANSWER -> return colors.pine
        CallChoice.DECLINE, CallChoice.HANG_UP -> return colors.danger
        CallChoice.MICROPHONE -> view.microphone == MicrophoneState.OFF
        CallChoice.CAMERA -> view.shows.camera
        CallChoice.SCREEN -> view.shows.screen != null
    }
    return if (changed) Ink(colors.ink, colors.paper) else Ink(colors.well, colors.ink)
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
