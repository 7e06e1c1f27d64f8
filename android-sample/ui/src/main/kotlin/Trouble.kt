package org.sidetone.sample.ui

import androidx.compose.foundation.layout.*
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.text.KeyboardOptions
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.CircularProgressIndicator
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.*
import androidx.compose.ui.text.input.KeyboardType
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import org.sidetone.ErrorCode
import org.sidetone.ExportReport
import org.sidetone.sample.logic.Form
import org.sidetone.sample.logic.Trouble
import org.sidetone.sample.R

private class Advice(val icon: Int, val title: Int, val text: Int, val action: Int)

/** What the button of a trouble does. */
class Remedies(val again: () -> Unit, val retype: () -> Unit, val salvage: () -> Unit, val erase: () -> Unit)

fun Remedies.of(trouble: Trouble): () -> Unit = when (trouble) {
    Trouble.WRONG_PASSWORD, Trouble.SIGNED_OUT -> retype
    Trouble.STORE_DAMAGED -> salvage
    Trouble.KEY_LOST -> erase
    else -> again
}

private fun adviceOn(trouble: Trouble): Advice = when (trouble) {
    Trouble.MICROPHONE_FORBIDDEN -> Advice(R.drawable.mic_off, R.string.trouble_microphone, R.string.trouble_microphone_text, R.string.open_settings)
    Trouble.CAMERA_FORBIDDEN -> Advice(R.drawable.camera, R.string.trouble_camera, R.string.trouble_camera_text, R.string.open_settings)
    Trouble.NO_SERVER -> Advice(R.drawable.cloud, R.string.trouble_server, R.string.trouble_server_text, R.string.try_again)
    Trouble.WRONG_PASSWORD -> Advice(R.drawable.key, R.string.trouble_password, R.string.trouble_password_text, R.string.type_again)
    Trouble.KEY_CHANGED -> Advice(R.drawable.shield, R.string.trouble_key, R.string.trouble_key_text, R.string.compare)
    Trouble.SIGNED_OUT -> Advice(R.drawable.key, R.string.trouble_signed_out, R.string.trouble_signed_out_text, R.string.sign_in)
    Trouble.SUSPENDED -> Advice(R.drawable.lock, R.string.trouble_suspended, R.string.trouble_suspended_text, R.string.try_again)
    Trouble.PHONE_LOCKED -> Advice(R.drawable.lock, R.string.trouble_locked, R.string.trouble_locked_text, R.string.try_again)
    Trouble.KEY_LOST -> Advice(R.drawable.key, R.string.trouble_key_lost, R.string.trouble_key_lost_text, R.string.erase)
    Trouble.STORE_DAMAGED -> Advice(R.drawable.alert, R.string.trouble_damaged, R.string.trouble_damaged_text, R.string.salvage)
    Trouble.STORE_FULL -> Advice(R.drawable.file, R.string.trouble_full, R.string.trouble_full_text, R.string.try_again)
    Trouble.OUTDATED -> Advice(R.drawable.down, R.string.trouble_outdated, R.string.trouble_outdated_text, R.string.try_again)
    Trouble.OTHER -> Advice(R.drawable.alert, R.string.trouble_other, R.string.trouble_other_text, R.string.try_again)
}

/** What keeps a person from going on, and what to do about it. */
@Composable
fun TroubleScreen(trouble: Trouble, onAction: () -> Unit, onBack: (() -> Unit)? = null, saved: ExportReport? = null, onErase: (() -> Unit)? = null, more: @Composable () -> Unit = {}) {
    val advice = adviceOn(trouble)
    Box(Modifier.fillMaxSize(), Alignment.Center) {
        Column(Modifier.fillMaxWidth().verticalScroll(rememberScrollState())) {
            Empty(advice.icon, stringResource(advice.title), stringResource(advice.text), ink = colors.glow) {
                Press(stringResource(advice.action), onAction, Modifier.fillMaxWidth())
                saved?.let { Badge(stringResource(R.string.exported, it.rows.toInt(), it.files.toInt()), icon = R.drawable.check) }
                onErase?.let { Quiet(stringResource(R.string.erase), it, Modifier.fillMaxWidth(), danger = true) }
                onBack?.let { Quiet(stringResource(R.string.back), it, Modifier.fillMaxWidth()) }
            }
            more()
        }
    }
}

/** Something is being waited for. */
@Composable
fun Waiting(text: String, modifier: Modifier = Modifier.fillMaxSize()) = Column(
    modifier.padding(40.dp).semantics { contentDescription = text },
    Arrangement.spacedBy(18.dp, Alignment.CenterVertically), Alignment.CenterHorizontally,
) {
    CircularProgressIndicator(Modifier.size(36.dp), colors.pine.ground, 3.dp, colors.well)
    Words(text, type.bodyMedium, colors.faint, align = TextAlign.Center)
}

/** Nobody is signed in. */
@Composable
fun WelcomeScreen(form: Form, server: String, notice: ErrorCode?, onType: (Form) -> Unit, onDismiss: () -> Unit, onServer: (String) -> Unit, onDone: () -> Unit) {
    Column(
        Modifier.fillMaxSize().verticalScroll(rememberScrollState()).padding(vertical = 32.dp),
        Arrangement.spacedBy(14.dp),
    ) {
        Column(Modifier.padding(horizontal = 28.dp)) {
            Spacer(Modifier.height(24.dp))
            Words(stringResource(R.string.app_name), type.displaySmall, colors.pine.ground, Modifier.semantics { heading() })
            Words(stringResource(R.string.welcome_text), type.bodyLarge, colors.faint, Modifier.padding(top = 8.dp, bottom = 8.dp))
        }
        Notice(notice, onDismiss)
        Column(Modifier.padding(horizontal = 24.dp), Arrangement.spacedBy(12.dp)) {
            val ways = listOf(true to stringResource(R.string.new_account), false to stringResource(R.string.have_account))
            Choice(ways, form.isNew) { onType(form.copy(isNew = it)) }
            Field(form.name, { onType(form.copy(name = it)) }, stringResource(R.string.name))
            if (form.isNew) {
                val mail = KeyboardOptions(keyboardType = KeyboardType.Email)
                Field(form.email, { onType(form.copy(email = it)) }, stringResource(R.string.email), keyboard = mail)
            }
            val secret = KeyboardOptions(keyboardType = KeyboardType.Password)
            Field(form.password, { onType(form.copy(password = it)) }, stringResource(R.string.password), secret = true, keyboard = secret, onDone = onDone)
            Spacer(Modifier.height(4.dp))
            val label = if (form.isNew) R.string.register else R.string.sign_in
            Press(stringResource(label), onDone, Modifier.fillMaxWidth(), enabled = form.ready, busy = form.busy)
            Words(stringResource(R.string.welcome_promise), type.bodySmall, colors.faint)
        }
        Heading(stringResource(R.string.server))
        ServerCard(server, onServer)
    }
}
