package org.sidetone.sample.ui

import androidx.compose.foundation.*
import androidx.compose.foundation.layout.*
import androidx.compose.foundation.selection.selectable
import androidx.compose.foundation.selection.toggleable
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.foundation.text.KeyboardActions
import androidx.compose.foundation.text.KeyboardOptions
import androidx.compose.material3.CircularProgressIndicator
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Switch
import androidx.compose.material3.Text
import androidx.compose.material3.TextField
import androidx.compose.material3.TextFieldDefaults
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.draw.clip
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.Shape
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.*
import androidx.compose.ui.text.input.PasswordVisualTransformation
import androidx.compose.ui.text.input.VisualTransformation
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.text.TextStyle
import androidx.compose.ui.unit.dp
import androidx.compose.ui.unit.Dp
import org.sidetone.ErrorCode
import org.sidetone.sample.R

val type @Composable get() = MaterialTheme.typography
private val shapes @Composable get() = MaterialTheme.shapes

/** Words, in the one or other colour. What people wrote may end in dots on one line; what the app says never does. */
@Composable
fun Words(
    text: String,
    style: TextStyle = type.bodyLarge,
    color: Color = colors.ink,
    modifier: Modifier = Modifier,
    lines: Int = Int.MAX_VALUE,
    align: TextAlign? = null,
) = Text(text, modifier, color, style = style, maxLines = lines, overflow = TextOverflow.Ellipsis, textAlign = align)

/** A page that scrolls, with its name in large letters. */
@Composable
fun Page(title: String, action: @Composable RowScope.() -> Unit = {}, content: @Composable ColumnScope.() -> Unit) {
    Column(Modifier.fillMaxSize().verticalScroll(rememberScrollState()).padding(bottom = 28.dp)) {
        Row(Modifier.fillMaxWidth().padding(start = 24.dp, end = 12.dp, top = 18.dp, bottom = 10.dp), verticalAlignment = Alignment.CenterVertically) {
            Words(title, type.displaySmall, modifier = Modifier.weight(1f).semantics { heading() })
            action()
        }
        content()
    }
}

/** What stands over a screen that lies on another. */
@Composable
fun TopBar(title: String, onBack: () -> Unit, subtitle: String? = null, face: (@Composable () -> Unit)? = null, actions: @Composable RowScope.() -> Unit = {}) {
    Row(Modifier.fillMaxWidth().padding(horizontal = 8.dp, vertical = 8.dp), verticalAlignment = Alignment.CenterVertically) {
        Action(R.drawable.back, stringResource(R.string.back), onBack)
        face?.let {
            it()
            Spacer(Modifier.size(12.dp))
        }
        Column(Modifier.weight(1f)) {
            Words(title, type.titleLarge, lines = 1, modifier = Modifier.semantics { heading() })
            subtitle?.let { Words(it, type.bodySmall, colors.faint) }
        }
        actions()
    }
}

/** A sign to touch. */
@Composable
fun Action(icon: Int, label: String, onClick: () -> Unit, modifier: Modifier = Modifier, tint: Color = colors.ink, enabled: Boolean = true) {
    Box(
        modifier.size(48.dp).clip(CircleShape).clickable(enabled, role = Role.Button, onClick = onClick).semantics { contentDescription = label },
        Alignment.Center,
    ) { Icon(painterResource(icon), null, Modifier.size(24.dp), if (enabled) tint else tint.copy(alpha = .5f)) }
}

/** A button with words. */
@Composable
fun Press(
    text: String,
    onClick: () -> Unit,
    modifier: Modifier = Modifier,
    ink: Ink = colors.pine,
    icon: Int? = null,
    enabled: Boolean = true,
    busy: Boolean = false,
) {
    val shown = if (enabled || busy) ink else Ink(colors.tint.ground.copy(alpha = .55f), colors.faint)
    Row(
        modifier.defaultMinSize(minHeight = 52.dp).clip(shapes.medium).background(shown.ground)
            .clickable(enabled && !busy, role = Role.Button, onClick = onClick).padding(horizontal = 20.dp, vertical = 12.dp),
        Arrangement.spacedBy(10.dp, Alignment.CenterHorizontally), Alignment.CenterVertically,
    ) {
        if (busy) CircularProgressIndicator(Modifier.size(20.dp), shown.on, 2.dp) else icon?.let { Icon(painterResource(it), null, Modifier.size(22.dp), shown.on) }
        Words(text, type.labelLarge, shown.on, align = TextAlign.Center)
    }
}

/** A button that does not ask to be pressed. */
@Composable
fun Quiet(text: String, onClick: () -> Unit, modifier: Modifier = Modifier, icon: Int? = null, danger: Boolean = false) =
    Press(text, onClick, modifier, Ink(Color.Transparent, if (danger) colors.danger.ground else colors.pine.ground), icon)

/** Where something is typed. */
@Composable
fun Field(
    value: String,
    onValue: (String) -> Unit,
    label: String,
    modifier: Modifier = Modifier,
    secret: Boolean = false,
    lines: Int = 1,
    shape: Shape = shapes.medium,
    keyboard: KeyboardOptions = KeyboardOptions.Default,
    onDone: (() -> Unit)? = null,
) {
    val well = TextFieldDefaults.colors(
        focusedContainerColor = colors.well, unfocusedContainerColor = colors.well, disabledContainerColor = colors.well,
        focusedIndicatorColor = Color.Transparent, unfocusedIndicatorColor = Color.Transparent,
        focusedLabelColor = colors.pine.ground, unfocusedLabelColor = colors.faint, cursorColor = colors.pine.ground,
    )
    TextField(
        value, onValue, modifier.fillMaxWidth(), textStyle = type.bodyLarge, label = { Text(label) }, singleLine = lines == 1, maxLines = lines,
        visualTransformation = if (secret) PasswordVisualTransformation() else VisualTransformation.None,
        keyboardOptions = keyboard, keyboardActions = KeyboardActions { onDone?.invoke() }, shape = shape, colors = well,
    )
}

/** A person in two letters; with a dot when they are there. */
@Composable
fun Face(name: String, size: Dp = 48.dp, online: Boolean = false) {
    val ink = colors.faces[Math.floorMod(name.hashCode(), colors.faces.size)]
    val letters = name.split(' ', '-', '_', '.').filter(String::isNotEmpty).take(2).joinToString("") { it.take(1).uppercase() }
    val style = type.titleMedium.copy(fontSize = type.titleMedium.fontSize * (size / 48.dp))
    Box(Modifier.size(size).clearAndSetSemantics { }) {
        Box(Modifier.fillMaxSize().clip(CircleShape).background(ink.ground), Alignment.Center) { Words(letters, style, ink.on, lines = 1) }
        if (online) {
            Box(Modifier.align(Alignment.BottomEnd).size(size / 3.6f).clip(CircleShape).background(colors.paper), Alignment.Center) {
                Box(Modifier.size(size / 5.2f).clip(CircleShape).background(colors.good))
            }
        }
    }
}

/** A word in a pill. */
@Composable
fun Badge(text: String, ink: Ink = colors.tint, icon: Int? = null) {
    Row(
        Modifier.clip(CircleShape).background(ink.ground).padding(horizontal = 10.dp, vertical = 4.dp),
        Arrangement.spacedBy(5.dp), Alignment.CenterVertically,
    ) {
        icon?.let { Icon(painterResource(it), null, Modifier.size(14.dp), ink.on) }
        Words(text, type.labelMedium, ink.on)
    }
}

/** Something that holds for the whole screen. */
@Composable
fun Banner(text: String, icon: Int = R.drawable.cloud, ink: Ink = colors.glow, action: @Composable () -> Unit = {}) {
    Row(
        Modifier.fillMaxWidth().padding(horizontal = 16.dp, vertical = 4.dp).clip(shapes.medium).background(ink.ground)
            .padding(start = 16.dp, end = 4.dp).defaultMinSize(minHeight = 48.dp).semantics { liveRegion = LiveRegionMode.Polite },
        Arrangement.spacedBy(12.dp), Alignment.CenterVertically,
    ) {
        Icon(painterResource(icon), null, Modifier.size(20.dp), ink.on)
        Words(text, type.bodyMedium, ink.on, Modifier.weight(1f).padding(vertical = 12.dp))
        action()
    }
}

/** What did not work, until it is dismissed. */
@Composable
fun Notice(code: ErrorCode?, onDismiss: () -> Unit) {
    if (code == null) return
    Banner(stringResource(wordsOf(code)), R.drawable.alert) { Action(R.drawable.close, stringResource(R.string.dismiss), onDismiss, tint = colors.glow.on) }
}

/** A screen with nothing on it yet, or with one thing to say. */
@Composable
fun Empty(icon: Int, title: String, text: String, modifier: Modifier = Modifier, ink: Ink = colors.tint, action: @Composable ColumnScope.() -> Unit = {}) {
    Column(
        modifier.fillMaxWidth().padding(horizontal = 32.dp, vertical = 40.dp), Arrangement.spacedBy(12.dp), Alignment.CenterHorizontally,
    ) {
        Box(Modifier.size(88.dp).clip(shapes.large).background(ink.ground), Alignment.Center) { Icon(painterResource(icon), null, Modifier.size(38.dp), ink.on) }
        Spacer(Modifier.height(6.dp))
        Words(title, type.headlineSmall, align = TextAlign.Center, modifier = Modifier.semantics { heading() })
        Words(text, type.bodyLarge, colors.faint, Modifier.widthIn(max = 420.dp), align = TextAlign.Center)
        Spacer(Modifier.height(6.dp))
        action()
    }
}

/** Things that belong together. */
@Composable
fun Card(modifier: Modifier = Modifier, content: @Composable ColumnScope.() -> Unit) = Column(
    modifier.fillMaxWidth().padding(horizontal = 16.dp, vertical = 6.dp).clip(shapes.large).background(colors.card).padding(20.dp),
    Arrangement.spacedBy(12.dp), content = content,
)

/** The name of what follows. */
@Composable
fun Heading(text: String) =
    Words(text, type.labelLarge, colors.faint, Modifier.padding(start = 24.dp, end = 24.dp, top = 20.dp, bottom = 6.dp).semantics { heading() })

/** One of a few. */
@Composable
fun <T> Choice(all: List<Pair<T, String>>, chosen: T?, onChoose: (T) -> Unit) {
    FlowRow(Modifier.fillMaxWidth(), Arrangement.spacedBy(8.dp), Arrangement.spacedBy(8.dp)) {
        all.forEach { (value, text) ->
            val ink = if (value == chosen) colors.pine else Ink(colors.well, colors.ink)
            Box(
                Modifier.defaultMinSize(minHeight = 48.dp).clip(shapes.medium).background(ink.ground)
                    .selectable(value == chosen, role = Role.RadioButton) { onChoose(value) }.padding(horizontal = 16.dp, vertical = 12.dp),
                Alignment.Center,
            ) { Words(text, type.labelLarge, ink.on, align = TextAlign.Center) }
        }
    }
}

/** Yes or no. */
@Composable
fun Toggle(text: String, on: Boolean, onChange: (Boolean) -> Unit, more: String? = null) {
    Row(
        Modifier.fillMaxWidth().toggleable(on, role = Role.Switch, onValueChange = onChange).defaultMinSize(minHeight = 52.dp),
        Arrangement.spacedBy(16.dp), Alignment.CenterVertically,
    ) {
        Column(Modifier.weight(1f)) {
            Words(text)
            more?.let { Words(it, type.bodySmall, colors.faint) }
        }
        Switch(on, null)
    }
}
