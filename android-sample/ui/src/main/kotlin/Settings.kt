package org.sidetone.sample.ui

import androidx.compose.foundation.layout.*
import androidx.compose.material3.HorizontalDivider
import androidx.compose.runtime.*
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.unit.dp
import org.sidetone.*
import org.sidetone.sample.logic.*
import org.sidetone.sample.R

/** What the person decides, and what is known about them. */
@Composable
fun SettingsScreen(state: SettingsState, notice: ErrorCode?, act: Act<SettingsLogic>, onServer: (String) -> Unit, onWipe: () -> Unit) = Page(stringResource(R.string.settings)) {
    Notice(notice) { act { dismiss() } }
    state.me?.let { me ->
        Card {
            Row(horizontalArrangement = Arrangement.spacedBy(16.dp), verticalAlignment = Alignment.CenterVertically) {
                Face(me.name, 56.dp)
                Column(Modifier.weight(1f)) {
                    Words(me.name, type.titleLarge, lines = 1)
                }
                Badge(stringResource(if (state.online) R.string.online else R.string.offline), if (state.online) colors.tint else colors.glow)
            }
        }
    }
    state.preferences?.let { Preferring(it, act) } ?: Waiting(stringResource(R.string.loading), Modifier.fillMaxWidth())
    Heading(stringResource(R.string.server))
    ServerCard(state.server, onServer)
    Card { Words(stringResource(if (state.woken) R.string.woken else R.string.not_woken), type.bodyMedium, colors.faint) }
    Heading(stringResource(R.string.receipts))
    Receipts(state, act)
    Heading(stringResource(R.string.export))
    Card {
        Words(stringResource(R.string.export_text), type.bodyMedium, colors.faint)
        Field(state.passphrase, { text -> act { type(text) } }, stringResource(R.string.passphrase), secret = true)
        Press(stringResource(R.string.export_now), { act { export() } }, Modifier.fillMaxWidth(), Ink(colors.well, colors.ink), R.drawable.down, busy = state.exporting)
        state.exported?.let { Badge(stringResource(R.string.exported, it.rows.toInt(), it.files.toInt()), icon = R.drawable.check) }
    }
    Heading(stringResource(R.string.account))
    Card {
        Quiet(stringResource(R.string.sign_out), { act { signOut() } }, Modifier.fillMaxWidth())
        val (question, answer) = when (state.asking) {
            Danger.WIPE -> R.string.wipe_text to R.string.wipe
            Danger.DELETE -> R.string.delete_text to R.string.delete_really
            null -> null to 0
        }
        if (question != null) {
            Words(stringResource(question), type.bodyMedium)
            Press(stringResource(answer), { if (state.asking == Danger.WIPE) onWipe() else act { delete() } }, Modifier.fillMaxWidth(), colors.danger)
            Quiet(stringResource(R.string.keep_account), { act { ask(null) } }, Modifier.fillMaxWidth())
        } else {
            Quiet(stringResource(R.string.wipe), { act { ask(Danger.WIPE) } }, Modifier.fillMaxWidth(), danger = true)
            Quiet(stringResource(R.string.delete_account), { act { ask(Danger.DELETE) } }, Modifier.fillMaxWidth(), danger = true)
        }
    }
}

/** Where everybody is met. */
@Composable
fun ServerCard(server: String, onServer: (String) -> Unit) = Card {
    var typed by remember { mutableStateOf(server) }
    Words(stringResource(R.string.server_text), type.bodyMedium, colors.faint)
    Field(typed, { typed = it }, stringResource(R.string.address))
    Press(stringResource(R.string.use_server), { onServer(typed) }, Modifier.fillMaxWidth(), Ink(colors.well, colors.ink), enabled = typed.isNotBlank())
}

@Composable
private fun Preferring(kept: Preferences, act: Act<SettingsLogic>) {
    Heading(stringResource(R.string.theme))
    Card {
        val themes = listOf(Theme.SYSTEM to stringResource(R.string.theme_system), Theme.LIGHT to stringResource(R.string.theme_light), Theme.DARK to stringResource(R.string.theme_dark))
        Choice(themes, kept.theme) { act { prefer(it) } }
    }
    Heading(stringResource(R.string.privacy))
    Card {
        Words(stringResource(R.string.routes), type.titleMedium)
        val routes = listOf(RouteRule.ANY to stringResource(R.string.route_any), RouteRule.DIRECT_ONLY to stringResource(R.string.route_direct_only), RouteRule.RELAY_ONLY to stringResource(R.string.route_relay_only))
        Choice(routes, kept.routes) { act { prefer(it) } }
        Words(stringResource(R.string.routes_text), type.bodySmall, colors.faint)
        HorizontalDivider(color = colors.line)
        Words(stringResource(R.string.addresses), type.titleMedium)
        val addresses = listOf(
            AddressRule.DIRECT to R.string.address_direct, AddressRule.RELAY_UNTIL_ACCEPTED to R.string.address_accepted,
            AddressRule.RELAY_UNTIL_VERIFIED to R.string.address_verified, AddressRule.NEVER to R.string.address_never,
        )
        Choice(addresses.map { (rule, label) -> rule to stringResource(label) }, kept.addresses) { act { prefer(it) } }
        Words(stringResource(R.string.addresses_text), type.bodySmall, colors.faint)
        HorizontalDivider(color = colors.line)
        Toggle(stringResource(R.string.read_receipts), kept.receipts == ReceiptRule.SEND, { act { prefer(if (it) ReceiptRule.SEND else ReceiptRule.KEEP) } }, stringResource(R.string.read_receipts_text))
    }
}

/** What the server keeps, what this phone sent, and what was erased. */
@Composable
internal fun Receipts(state: SettingsState, act: Act<SettingsLogic>) = Card {
    Words(stringResource(R.string.receipts_text), type.bodyMedium, colors.faint)
    state.burned.firstOrNull()?.let { Badge(pluralStringResource(R.plurals.burned_count, state.burned.size, state.burned.size), colors.glow, R.drawable.flame) }
    state.receipts?.forEach { Receipt(it) }
    if (state.receipts?.isEmpty() == true) Words(stringResource(R.string.receipts_none), type.bodyMedium)
    state.kept?.let { Words(it, type.bodySmall.copy(fontFamily = FontFamily.Monospace)) }
    Press(stringResource(R.string.ask_server), { act { receipts() } }, Modifier.fillMaxWidth(), Ink(colors.well, colors.ink), R.drawable.shield)
}

@Composable
private fun Receipt(receipt: Receipt) {
    val about = receipt.about
    val who = when (about.peer) {
        is ReceiptPeer.Friend -> receipt.name ?: stringResource(R.string.somebody)
        is ReceiptPeer.Room -> stringResource(R.string.a_room)
        is ReceiptPeer.Stranger -> stringResource(R.string.a_stranger)
    }
    Row(horizontalArrangement = Arrangement.spacedBy(12.dp)) {
        Words(who, type.titleMedium, modifier = Modifier.weight(1f), lines = 1)
        Words(about.tookMs?.let { clock((it / 1_000u).toInt()) } ?: stringResource(R.string.receipt_lasting), type.bodyMedium, colors.faint)
    }
    Figure(R.string.receipt_direct, bytes(about.direct.run { sent + received }))
    Figure(R.string.receipt_relay, bytes(about.relay.run { sent + received }))
    Figure(R.string.figure_server, bytes(about.signaling.run { sent + received }))
    Figure(R.string.receipt_kept, stringResource(R.string.entries, about.kept.rows.toString()))
    about.erased?.let { Figure(R.string.receipt_erased, stringResource(R.string.keys, it.keys.toString())) }
    HorizontalDivider(color = colors.line)
}

@Composable
private fun Figure(label: Int, value: String) = Row {
    Words(stringResource(label), type.bodyMedium, colors.faint, Modifier.weight(1f))
    Words(value, type.bodyMedium)
}
