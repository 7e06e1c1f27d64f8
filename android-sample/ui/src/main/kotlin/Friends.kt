package org.sidetone.sample.ui

import androidx.compose.foundation.*
import androidx.compose.foundation.layout.*
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.material3.Icon
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.draw.clip
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalClipboardManager
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.*
import androidx.compose.ui.text.AnnotatedString
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import org.sidetone.*
import org.sidetone.sample.logic.*
import org.sidetone.sample.R

/** Everybody, the newest talk first. */
@Composable
fun FriendsScreen(state: FriendsState, act: Act<FriendsLogic>, onOpen: (UserId) -> Unit, onCall: (UserId) -> Unit, onVerify: (UserId) -> Unit, onAdd: () -> Unit) {
    Page(stringResource(R.string.friends), { Action(R.drawable.plus, stringResource(R.string.add_friend), onAdd) }) {
        if (state.loading) return@Page Waiting(stringResource(R.string.loading), Modifier.fillMaxWidth())
        state.requests.forEach { Request(it, act) }
        if (state.rows.isEmpty() && state.requests.isEmpty()) {
            Empty(R.drawable.people, stringResource(R.string.friends_empty), stringResource(R.string.friends_empty_text)) {
                Press(stringResource(R.string.add_friend), onAdd, icon = R.drawable.plus)
            }
        }
        state.rows.forEach { Person(it, onOpen, onCall, onVerify) }
        if (state.blocked.isNotEmpty()) Heading(stringResource(R.string.friends_blocked))
        state.blocked.forEach { friend ->
            Row(Modifier.fillMaxWidth().padding(start = 24.dp, end = 12.dp), Arrangement.spacedBy(14.dp), Alignment.CenterVertically) {
                Face(friend.name)
                Words(friend.name, type.titleMedium, modifier = Modifier.weight(1f), lines = 1)
                Quiet(stringResource(R.string.friends_unblock), { act { unblock(friend.user) } })
            }
        }
    }
}

@Composable
private fun Request(friend: Friend, act: Act<FriendsLogic>) = Card {
    Row(Modifier.fillMaxWidth(), Arrangement.spacedBy(14.dp), Alignment.CenterVertically) {
        Face(friend.name, online = friend.online)
        Column(Modifier.weight(1f)) {
            Words(friend.name, type.titleMedium, lines = 1)
            Words(stringResource(R.string.wants_friend), type.bodyMedium, colors.faint)
        }
    }
    Row(Modifier.fillMaxWidth(), Arrangement.spacedBy(10.dp)) {
        Press(stringResource(R.string.accept), { act { accept(friend.user) } }, Modifier.weight(1f))
        Press(stringResource(R.string.decline), { act { decline(friend.user) } }, Modifier.weight(1f), Ink(colors.well, colors.ink))
    }
}

@Composable
private fun Person(row: FriendRow, onOpen: (UserId) -> Unit, onCall: (UserId) -> Unit, onVerify: (UserId) -> Unit) {
    val friend = row.friend
    val friends = friend.standing == Standing.FRIEND
    val there = stringResource(if (friend.online) R.string.online else R.string.away)
    Row(
        Modifier.fillMaxWidth().clickable(friends, role = Role.Button) { onOpen(friend.user) }.defaultMinSize(minHeight = 76.dp)
            .padding(start = 24.dp, end = 12.dp, top = 8.dp, bottom = 8.dp).semantics { contentDescription = there },
        Arrangement.spacedBy(14.dp), Alignment.CenterVertically,
    ) {
        Face(friend.name, online = friend.online)
        Column(Modifier.weight(1f)) {
            Row(horizontalArrangement = Arrangement.spacedBy(6.dp), verticalAlignment = Alignment.CenterVertically) {
                Words(friend.name, type.titleMedium, modifier = Modifier.weight(1f, fill = false), lines = 1)
                if (friend.verified) Icon(painterResource(R.drawable.shield), stringResource(R.string.verified), Modifier.size(18.dp), colors.good)
            }
            val last = if (friend.changedKey != null) stringResource(R.string.key_changed) else if (friends) row.last?.let { summary(it) } else stringResource(R.string.asked)
            Words(last ?: there, type.bodyMedium, if (friend.changedKey != null) colors.danger.ground else colors.faint, lines = 1)
        }
        if (friend.unread > 0u) Unread(friend.unread.toInt())
        if (friend.changedKey != null) Action(R.drawable.alert, stringResource(R.string.compare), { onVerify(friend.user) }, tint = colors.danger.ground)
        else if (friends) Action(R.drawable.phone, stringResource(R.string.call_name, friend.name), { onCall(friend.user) }, tint = colors.pine.ground)
    }
}

@Composable
private fun Unread(count: Int) {
    val label = pluralStringResource(R.plurals.unread, count, count)
    Box(
        Modifier.defaultMinSize(24.dp, 24.dp).clip(CircleShape).background(colors.ember.ground).padding(horizontal = 7.dp).semantics { contentDescription = label },
        Alignment.Center,
    ) { Words("$count", type.labelMedium, colors.ember.on) }
}

/** A message in a few words. */
@Composable
fun summary(message: Message): String = when (val content = message.content) {
    is MessageContent.Text -> message.text
    is MessageContent.File -> when (content.kind) {
        FileKind.IMAGE -> stringResource(R.string.an_image)
        FileKind.VOICE_NOTE -> stringResource(R.string.voice_note)
        FileKind.FILE -> content.name
    }
    is MessageContent.Call -> content.talkedMs?.let { stringResource(R.string.call_lasted, clock((it / 1_000u).toInt())) } ?: stringResource(content.reason?.let(::wordsOf) ?: R.string.end_over)
    is MessageContent.Timer -> stringResource(R.string.timer_changed)
    is MessageContent.Deleted -> stringResource(R.string.taken_back)
    is MessageContent.Expired -> stringResource(R.string.expired)
}

/** By name, by link, or by the code on the friend's screen; and ours for them. */
@Composable
fun AddScreen(state: FriendsState, notice: ErrorCode?, act: Act<FriendsLogic>, onBack: () -> Unit, onScan: () -> Unit, onShare: (String) -> Unit) {
    Column(Modifier.fillMaxSize().verticalScroll(rememberScrollState())) {
        TopBar(stringResource(R.string.add_friend), onBack)
        Notice(notice) { act { dismiss() } }
        Card {
            Words(stringResource(R.string.add_text), type.bodyMedium, colors.faint)
            Field(state.typed, { text -> act { type(text) } }, stringResource(R.string.name_or_link), onDone = { act { add() } })
            Press(stringResource(R.string.ask_friend), { act { add() } }, Modifier.fillMaxWidth(), enabled = state.typed.isNotBlank(), busy = state.busy)
            state.asked?.let { Badge(stringResource(R.string.asked_name, it), icon = R.drawable.check) }
            Quiet(stringResource(R.string.scan), onScan, Modifier.fillMaxWidth(), R.drawable.camera)
        }
        state.me?.let { me ->
            val link = Invitation.of(me).link
            Card {
                Words(stringResource(R.string.your_code), type.titleMedium)
                Words(stringResource(R.string.your_code_text), type.bodyMedium, colors.faint)
                Qr(link, stringResource(R.string.your_code), Modifier.align(Alignment.CenterHorizontally))
                Quiet(stringResource(R.string.share_link), { onShare(link) }, Modifier.fillMaxWidth(), R.drawable.share)
            }
        }
    }
}

/** Sixty digits, and a code to scan; with a changed key, what that means and what to do. */
@Composable
fun VerifyScreen(state: VerifyState, notice: ErrorCode?, act: Act<VerifyLogic>, onBack: () -> Unit, onScan: () -> Unit) {
    val friend = state.friend
    Column(Modifier.fillMaxSize().verticalScroll(rememberScrollState())) {
        TopBar(stringResource(R.string.safety_number), onBack, friend?.name)
        Notice(notice) { act { dismiss() } }
        if (friend == null || state.number == null) return@Column Waiting(stringResource(R.string.loading), Modifier.fillMaxWidth())
        if (friend.changedKey != null) {
            Card {
                Badge(stringResource(R.string.key_changed), colors.danger, R.drawable.alert)
                Words(stringResource(R.string.key_changed_text, friend.name), type.bodyMedium)
                Press(stringResource(R.string.accept_key), { act { acceptKey() } }, Modifier.fillMaxWidth(), Ink(colors.well, colors.ink))
            }
        }
        Card {
            Words(stringResource(R.string.compare_text, friend.name), type.bodyMedium, colors.faint)
            Words(
                state.number.orEmpty().split(' ').chunked(4).joinToString("\n") { it.joinToString("  ") },
                type.titleLarge.copy(fontFamily = FontFamily.Monospace, lineHeight = type.titleLarge.lineHeight * 1.25), align = TextAlign.Center,
                modifier = Modifier.fillMaxWidth().padding(vertical = 8.dp),
            )
            state.code?.let { Qr(it, stringResource(R.string.safety_number), Modifier.align(Alignment.CenterHorizontally)) }
            state.compared?.let { Compared(it) }
            Press(stringResource(R.string.scan_theirs), onScan, Modifier.fillMaxWidth(), icon = R.drawable.camera)
            if (friend.verified) {
                Badge(stringResource(R.string.verified), icon = R.drawable.shield)
                Quiet(stringResource(R.string.unverify), { act { verify(false) } }, Modifier.fillMaxWidth(), danger = true)
            } else {
                Badge(stringResource(R.string.not_verified), colors.glow, R.drawable.shield)
                Quiet(stringResource(R.string.numbers_match), { act { verify(true) } }, Modifier.fillMaxWidth(), R.drawable.check)
            }
        }
        Row(Modifier.fillMaxWidth().padding(horizontal = 16.dp, vertical = 6.dp), Arrangement.spacedBy(8.dp)) {
            Quiet(stringResource(R.string.friends_remove), { act { remove() }; onBack() }, Modifier.weight(1f), danger = true)
            Quiet(stringResource(R.string.friends_block), { act { block() }; onBack() }, Modifier.weight(1f), danger = true)
        }
    }
}

@Composable
private fun Compared(said: Comparison) = if (said == Comparison.MATCH) {
    Badge(stringResource(R.string.codes_match), icon = R.drawable.shield)
} else {
    Badge(stringResource(R.string.codes_differ), colors.danger, R.drawable.alert)
}
