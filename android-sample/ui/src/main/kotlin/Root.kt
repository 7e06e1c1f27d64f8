package org.sidetone.sample.ui

import androidx.compose.foundation.background
import androidx.compose.foundation.layout.*
import androidx.compose.foundation.selection.selectable
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.runtime.*
import androidx.compose.ui.Alignment
import androidx.compose.ui.draw.clip
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import org.sidetone.sample.logic.*
import org.sidetone.sample.R
import org.sidetone.Theme

/** Where a scanned code goes: the camera is the platform's. */
typealias Scanner = (onCode: (String) -> Unit) -> Unit

/** The whole app. */
@Composable
fun Root(sample: Sample, scan: Scanner, family: FontFamily = FontFamily.Default) {
    val stage by sample.state.collectAsState()
    val notice by sample.notice.collectAsState()
    val home = if (stage is Stage.Home) sample.home else null
    val act = remember(sample) { sample.acts() }
    SampleTheme(home?.let { theme(it) } ?: Theme.SYSTEM, family) {
        Box(Modifier.fillMaxSize().background(colors.paper)) {
            when (val at = stage) {
                is Stage.Opening -> Waiting(stringResource(R.string.opening))
                is Stage.Blocked -> {
                    val remedies = Remedies({ act { start() } }, { act { again() } }, { act { salvage() } }, { act { erase() } })
                    TroubleScreen(at.trouble, remedies.of(at.trouble), null, at.saved, remedies.erase.takeIf { at.trouble == Trouble.STORE_DAMAGED }) {
                        if (at.trouble == Trouble.NO_SERVER) ServerCard(sample.server) { act { use(it) } }
                    }
                    Notice(notice) { act { dismiss() } }
                }
                is Stage.Welcome -> WelcomeScreen(at.form, sample.server, notice, { act { type(it) } }, { act { dismiss() } }, { act { use(it) } }, { act { signIn() } })
                is Stage.Home -> home?.let { HomeScreen(it, scan, act) }
            }
        }
    }
}

@Composable
private fun theme(home: Home): Theme = shown(home.settings).preferences?.theme ?: Theme.SYSTEM

@Composable
private fun <S> shown(logic: Logic<S>): S = logic.state.collectAsState().value

@Composable
private fun told(logic: Logic<*>) = logic.notice.collectAsState().value

@Composable
private fun HomeScreen(home: Home, scan: Scanner, sample: Act<Sample>) {
    val state = shown(home)
    val act = remember(home) { home.acts() }
    val call = state.call
    if (call != null && !state.callIsSmall) {
        return CallScreen(shown(call), told(call) ?: told(home), call.acts(), { act { choose(it) } }, { act { shrink(true) } }, { act { shrink(true); verify(it) } }, { act { forgetCall() } })
    }
    Column(Modifier.fillMaxSize()) {
        call?.let { CallBar(shown(it)) { act { shrink(false) } } }
        if (!state.online && state.place is Place.Tabs) Banner(stringResource(R.string.offline_text))
        Notice(told(home)) { act { dismiss() } }
        Box(Modifier.weight(1f)) { At(state, home, act, scan, sample) }
        if (state.place is Place.Tabs) Tabs(state.tab) { act { show(it) } }
    }
}

@Composable
private fun At(state: HomeState, home: Home, act: Act<Home>, scan: Scanner, sample: Act<Sample>) {
    val back: () -> Unit = { act { back() } }
    when (val place = state.place) {
        is Place.Tabs -> Tabbed(state.tab, home, act, sample)
        is Place.Add -> home.friends.acts().let { friends ->
            AddScreen(shown(home.friends), told(home.friends), friends, back, { scan { friends { add(it) } } }, home.device::share)
        }
        is Place.Chatting -> ChatScreen(shown(place.logic), told(place.logic), place.logic.acts(), back, { act { call(it) } }, { act { verify(it) } })
        is Place.Verifying -> place.logic.acts().let { verify -> VerifyScreen(shown(place.logic), told(place.logic), verify, back) { scan { verify { scanned(it) } } } }
        is Place.Forbidden -> TroubleScreen(place.permission.trouble, home.device::openPermissions, back)
    }
}

@Composable
private fun Tabbed(tab: Tab, home: Home, act: Act<Home>, sample: Act<Sample>) = when (tab) {
    Tab.FRIENDS -> FriendsScreen(shown(home.friends), home.friends.acts(), { act { chat(it) } }, { act { call(it) } }, { act { verify(it) } }, { act { add() } })
    Tab.ROOMS -> shown(home.rooms).let { rooms -> rooms.room?.let { RoomScreen(shown(it), told(it), it.acts()) } ?: RoomsScreen(rooms, told(home.rooms), home.rooms.acts()) }
    Tab.STRANGERS -> StrangersScreen(shown(home.strangers), told(home.strangers), home.strangers.acts())
    Tab.SETTINGS -> SettingsScreen(shown(home.settings), told(home.settings), home.settings.acts(), { sample { use(it) } }, { sample { wipe() } })
}

/** The way between the pages. */
@Composable
fun Tabs(chosen: Tab, onChoose: (Tab) -> Unit) = Row(Modifier.fillMaxWidth().background(colors.card).padding(horizontal = 8.dp, vertical = 8.dp), Arrangement.SpaceEvenly) {
    Tab.entries.forEach { tab ->
        val (icon, label) = faceOf(tab)
        val on = tab == chosen
        Column(
            Modifier.weight(1f).defaultMinSize(minHeight = 56.dp).clip(MaterialTheme.shapes.small).selectable(on, role = Role.Tab) { onChoose(tab) },
            Arrangement.spacedBy(3.dp, Alignment.CenterVertically), Alignment.CenterHorizontally,
        ) {
            Box(Modifier.width(60.dp).height(32.dp).clip(CircleShape).background(if (on) colors.tint.ground else colors.card), Alignment.Center) {
                Icon(painterResource(icon), null, Modifier.size(23.dp), if (on) colors.tint.on else colors.faint)
            }
            Words(stringResource(label), type.labelSmall, if (on) colors.ink else colors.faint, align = TextAlign.Center)
        }
    }
}

private fun faceOf(tab: Tab): Pair<Int, Int> = when (tab) {
    Tab.FRIENDS -> R.drawable.people to R.string.friends
    Tab.ROOMS -> R.drawable.waves to R.string.rooms
    Tab.STRANGERS -> R.drawable.dice to R.string.strangers
    Tab.SETTINGS -> R.drawable.gear to R.string.settings
}
