package org.sidetone.sample.ui

import androidx.compose.runtime.Composable
import org.sidetone.*
import org.sidetone.sample.logic.*

/** One screen in one state, with what people wrote in it. */
class Shot(val name: String, val screen: @Composable () -> Unit)

private fun id(number: Int) = "%032x".format(number)

private val key = PublicKey("ab".repeat(32))
private val me = AccountView(UserId(id(99)), "Deniz", key, true)

private fun friend(number: Int, name: String, online: Boolean = true, verified: Boolean = false, unread: UInt = 0u, changed: Boolean = false, standing: Standing = Standing.FRIEND) =
    Friend(UserId(id(number)), name, standing, online, verified, key, if (changed) PublicKey("cd".repeat(32)) else null, unread, null)

private val ayse = friend(1, "Ayşe", verified = true, unread = 2u)
private val ben = friend(2, "Ben", verified = true)
private val cagri = friend(3, "Çağrı", online = false)
private val ida = friend(4, "Ida", changed = true)
private val muhammed = friend(5, "محمد", online = false)
private val lena = friend(6, "Lena", online = false, standing = Standing.ASKED_BY_US)
private val tomas = friend(7, "Tomás", standing = Standing.ASKED_US)

/** 09:00 on a day in November. */
private const val NINE = 1_795_856_400_000uL

private fun message(place: Int, text: String, theirs: Boolean, minutes: Int, state: MessageState = if (theirs) MessageState.RECEIVED else MessageState.READ, content: MessageContent = MessageContent.Text, reactions: List<Reaction> = emptyList(), edited: Boolean = false): Message {
    val at = NINE + (minutes * 60_000).toULong()
    return Message(place.toULong(), MessageId(id(place)), theirs, text, content, null, at, at, if (edited) at else null, null, state, reactions)
}

private val friends = FriendsState(
    loading = false, me = me, requests = listOf(tomas),
    rows = listOf(
        FriendRow(ayse, last = message(1, "Bring the small boat, the big one leaks again", true, 12)),
        FriendRow(ben, last = message(2, "See you at the pier", false, 2)),
        FriendRow(ida, last = message(3, "…", true, 3)),
        FriendRow(muhammed, last = message(4, "إلى اللقاء غدا صباحا", true, 4)),
        FriendRow(cagri, last = message(5, "", true, 5, content = MessageContent.File(TransferId(id(5)), "note.ogg", 9_000u, "audio/ogg", FileKind.VOICE_NOTE))),
        FriendRow(lena),
    ),
)

private fun transfer(number: Int, name: String, size: ULong, done: ULong, stage: TransferStage, kind: FileKind, ours: Boolean = false) =
    Transfer(TransferId(id(number)), ayse.user, ours, name, "application/pdf", kind, size, done, stage, if (stage is TransferStage.Received) "/files/$name" else null)

private fun file(number: Int, name: String, size: ULong, kind: FileKind) = MessageContent.File(TransferId(id(number)), name, size, "application/pdf", kind)

private val waveform = ByteArray(64) { (18 + 60 * Math.abs(Math.sin(it * .37) * Math.cos(it * .11))).toInt().toByte() }

private val chat = ChatState(
    friend = ayse, loading = false, draft = "",
    bubbles = listOf(
        Bubble(message(9, "", true, 21, content = file(9, "Tide tables November.pdf", 4_830_000u, FileKind.FILE)), transfer(9, "Tide tables November.pdf", 4_830_000u, 3_120_000u, TransferStage.Moving, FileKind.FILE)),
        Bubble(message(8, "", false, 19, MessageState.DELIVERED, file(8, "note.ogg", 31_000u, FileKind.VOICE_NOTE)), transfer(8, "note.ogg", 31_000u, 31_000u, TransferStage.Received, FileKind.VOICE_NOTE, true), FilePreview(0u, 0u, ByteArray(0), 14_000u, waveform)),
        Bubble(message(7, "", true, 16, content = file(7, "pier.jpg", 820_000u, FileKind.IMAGE)), transfer(7, "pier.jpg", 820_000u, 820_000u, TransferStage.Received, FileKind.IMAGE), FilePreview(1600u, 900u, Sea.png, 0u, ByteArray(0))),
        Bubble(message(6, "Bring the small boat, the big one leaks again", true, 12, reactions = listOf(Reaction("👍", true, false)))),
        Bubble(message(5, "", true, 9, content = MessageContent.Call(CallId(id(5)), CallEnd.Missed, null))),
        Bubble(message(4, "Half past six at the pier, before the wind turns", false, 4, edited = true)),
        Bubble(message(3, "Are we going out tomorrow?", true, 2)),
    ),
)

private val troubled = ChatState(
    friend = ida, loading = false, online = false,
    bubbles = listOf(
        Bubble(message(6, "Did you get a new phone?", false, 12, MessageState.QUEUED)),
        Bubble(message(5, "And the recording from Saturday?", false, 9, MessageState.FAILED)),
        Bubble(message(4, "", true, 7, content = file(4, "Saturday.flac", 48_200_000u, FileKind.FILE)), transfer(4, "Saturday.flac", 48_200_000u, 0u, TransferStage.Offered, FileKind.FILE)),
        Bubble(message(3, "", true, 4, content = MessageContent.Deleted)),
    ),
)

private val dark = Shows(false, null)

private fun call(state: CallState, direction: CallDirection = CallDirection.OUTGOING, route: Route? = null, muted: Boolean = false, them: Friend = ayse, talked: Int = 0, left: Int = 0, theirs: MicrophoneState = MicrophoneState.ON, shows: Shows = dark, ours: Shows = dark, quality: CallQuality? = route?.let { CallQuality.GOOD }): CallScreenState {
    val all = Wants(UShort.MAX_VALUE, UShort.MAX_VALUE)
    val view = CallView(CallId(id(1)), them.user, direction, state, route, if (muted) MicrophoneState.OFF else MicrophoneState.ON, theirs, ours, shows, all)
    return CallScreenState(view, them, view.choices, talked, left, quality)
}

private fun member(number: Int, name: String, presence: MemberPresence = MemberPresence.Here(Route.Direct(RouteReach.LAN)), hand: Boolean = false, microphone: MicrophoneState = MicrophoneState.ON) =
    RoomMember(MemberId(id(number)), name, key, false, false, presence, hand, microphone)

private val policy = RoomPolicy(RoomScope.CODE, RouteRule.ANY, Speaking.PUSH_TO_TALK, RoomDoor.OPEN, Audience.EVERYONE, ReplayRule.ALLOWED, 8u, 60u)

private fun room(floor: Floor?, vararg members: RoomMember, hand: Boolean = false, online: Boolean = true) = RoomState(
    RoomView(RoomId(id(1)), "Harbour radio", policy, MemberId(id(50)), true, false, online, hand, MicrophoneState.ON, members.asList(), floor),
    phrase = "ember-lotus-quartz-river-tandem-violet", link = "sidetone:room/…",
)

private val crew = arrayOf(member(1, "Ayşe"), member(2, "Ben", MemberPresence.Here(Route.Relayed(RelayOwner.US, RelayProtocol.UDP)), hand = true), member(3, "Ida", MemberPresence.Reaching), member(4, "Tomás", MemberPresence.Waiting))

private fun stranger(call: StrangerCall? = null) = Stranger(MatchId(id(1)), "lighthouse", "en", listOf("sailing", "radio"), Route.Relayed(RelayOwner.BOTH, RelayProtocol.UDP), false, true, false, false, "otter-pebble-mint-canoe", call, 3u)

private fun said(number: Int, text: String, theirs: Boolean) = StrangerMessage(number.toULong(), theirs, NINE, StrangerContent.Text(text), 0u, true)

private val meeting = StrangersState(
    StrangerView.With(stranger()), "harbour", adult = true,
    messages = listOf(said(1, "Hi! Which sea is yours?", true), said(2, "The Marmara, in the mornings", false), said(3, "Lucky you. I have a lake and a lot of rain.", true)),
)

private val burned = StrangersState(
    StrangerView.Lobby(MatchId(id(1))), "harbour", "sailing, radio", adult = true,
    parting = Parting(MatchId(id(1)), StrangerEnd.THEY_LEFT, BurnReport(HeldCount(12u, 1u, 0u, 90_000u, 1u, 4u, 1u), HeldCount(12u, 1u, 0u, 90_000u, 1u, 4u, 1u), 900u)),
)

private fun receipt(peer: ReceiptPeer, name: String?, tookMs: ULong?, relay: ULong, direct: ULong, kept: UInt): Receipt {
    val none = Traffic(0u, 0u)
    val erased = tookMs?.let { HeldCount(0u, 0u, 0u, 0u, 0u, 5u, 1u) }
    return Receipt(PrivacyReceipt(peer, tookMs, "meet.example", Traffic(2_100u, 3_400u), none, Traffic(relay, relay), Traffic(direct, direct), emptyList(), 1u, KeyCount(1u, 2u, 2u), KeptCount(kept, 900u), erased), name)
}

private val receipts = listOf(
    receipt(ReceiptPeer.Friend(ayse.user), "Ayşe", null, 0u, 1_830_000u, 12u), receipt(ReceiptPeer.Room(RoomId(id(1))), null, 754_000u, 410_000u, 96_000u, 0u),
    receipt(ReceiptPeer.Stranger(MatchId(id(1))), null, 61_000u, 88_000u, 0u, 0u),
)

private val settings = SettingsState(
    me, "wss://meet.example", true, Preferences(Theme.SYSTEM, ReceiptRule.SEND, AddressRule.DIRECT, RouteRule.ANY, 1_000_000u, null),
    burned = listOf(burned.parting!!.burned), exported = ExportReport(1_204u, 0u, 0u, 37u, 0u),
)

private val number = List(12) { "%05d".format((it + 3) * 7_919 % 100_000) }.joinToString(" ")

/** What two phones scan: as long as a real one. */
private val code = "U1QB".repeat(22)

private fun tab(tab: Tab, screen: @Composable () -> Unit): @Composable () -> Unit = { Framed(tab, screen = screen) }

/** Every screen in every state that a person can see. */
val gallery: List<Shot> = listOf(
    Shot("opening") { Waiting(androidx.compose.ui.res.stringResource(org.sidetone.sample.R.string.opening)) },
    Shot("welcome") { WelcomeScreen(Form(), "wss://meet.example", null, {}, {}, {}, {}) },
    Shot("welcome-error") { WelcomeScreen(Form("deniz", "deniz@example.org", "secret"), "wss://meet.example", ErrorCode.NAME_TAKEN, {}, {}, {}, {}) },
    Shot("welcome-busy") { WelcomeScreen(Form("deniz", "", "secret", isNew = false, busy = true), "wss://meet.example", null, {}, {}, {}, {}) },
    Shot("friends", tab(Tab.FRIENDS) { FriendsScreen(friends, {}, {}, {}, {}, {}) }),
    Shot("friends-loading", tab(Tab.FRIENDS) { FriendsScreen(FriendsState(), {}, {}, {}, {}, {}) }),
    Shot("friends-empty", tab(Tab.FRIENDS) { FriendsScreen(FriendsState(loading = false, me = me), {}, {}, {}, {}, {}) }),
    Shot("friends-blocked", tab(Tab.FRIENDS) { FriendsScreen(FriendsState(loading = false, me = me, rows = friends.rows.take(1), blocked = listOf(cagri)), {}, {}, {}, {}, {}) }),
    Shot("friends-offline") { Framed(Tab.FRIENDS, offline = true) { FriendsScreen(friends.copy(requests = emptyList()), {}, {}, {}, {}, {}) } },
    Shot("friends-in-call") { Framed(Tab.FRIENDS, call(CallState.Connected, talked = 754)) { FriendsScreen(friends.copy(requests = emptyList()), {}, {}, {}, {}, {}) } },
    Shot("add") { AddScreen(friends.copy(asked = "Lena"), null, {}, {}, {}, {}) },
    Shot("add-error") { AddScreen(friends.copy(typed = "lenna"), ErrorCode.NO_SUCH_PERSON, {}, {}, {}, {}) },
    Shot("verify") { VerifyScreen(VerifyState(cagri, number, code), null, {}, {}, {}) },
    Shot("verify-match") { VerifyScreen(VerifyState(ayse, number, code, Comparison.MATCH), null, {}, {}, {}) },
    Shot("key-changed") { VerifyScreen(VerifyState(ida, number, null, Comparison.THEIRS_DIFFERS), null, {}, {}, {}) },
    Shot("chat") { ChatScreen(chat, null, {}, {}, {}, {}) },
    Shot("chat-loading") { ChatScreen(ChatState(friend = ayse), null, {}, {}, {}, {}) },
    Shot("chat-empty") { ChatScreen(ChatState(friend = ben, loading = false), null, {}, {}, {}, {}) },
    Shot("chat-recording") { ChatScreen(chat.copy(typing = true, note = NoteView(7_200u, 60u)), null, {}, {}, {}, {}) },
    Shot("chat-offline") { ChatScreen(troubled, ErrorCode.FILE_UNREADABLE, {}, {}, {}, {}) },
    Shot("call-ringing") { CallScreen(call(CallState.Ringing), null, {}, {}, {}, {}, {}) },
    Shot("call-incoming") { CallScreen(call(CallState.Ringing, CallDirection.INCOMING, them = ben), null, {}, {}, {}, {}, {}) },
    Shot("call") { CallScreen(call(CallState.Connected, route = Route.Direct(RouteReach.INTERNET), talked = 754), null, {}, {}, {}, {}, {}) },
    Shot("call-relayed") { CallScreen(call(CallState.Connected, route = Route.Relayed(RelayOwner.THEM, RelayProtocol.UDP), muted = true, them = cagri, talked = 61, theirs = MicrophoneState.OFF), null, {}, {}, {}, {}, {}) },
    Shot("call-poor") { CallScreen(call(CallState.Connected, route = Route.Relayed(RelayOwner.US, RelayProtocol.TCP), talked = 61, quality = CallQuality.POOR), null, {}, {}, {}, {}, {}) },
    Shot("call-video") { CallScreen(call(CallState.Connected, route = Route.Direct(RouteReach.LAN), talked = 754, shows = Shows(true, null), ours = Shows(true, null)), null, {}, {}, {}, {}, {}) },
    Shot("call-screen") { CallScreen(call(CallState.Connected, route = Route.Direct(RouteReach.LAN), talked = 754, shows = Shows(true, ScreenContent.TEXT)), null, {}, {}, {}, {}, {}) },
    Shot("call-reconnecting") { CallScreen(call(CallState.Reconnecting(23_000u), left = 23, talked = 754), null, {}, {}, {}, {}, {}) },
    Shot("call-ended") { CallScreen(call(CallState.Ended(CallEnd.PeerBusy), them = ben), null, {}, {}, {}, {}, {}) },
    Shot("rooms", tab(Tab.ROOMS) { RoomsScreen(RoomsState(recent = listOf(RecentRoom(RoomId(id(1)), "Harbour radio", "Deniz", NINE, true, RoomMemory.RECENT))), null, {}) }),
    Shot("rooms-error", tab(Tab.ROOMS) { RoomsScreen(RoomsState(typed = "4711-acid-lemon", end = RoomEnd.CLOSED), ErrorCode.WRONG_CODE, {}) }),
    Shot("room", tab(Tab.ROOMS) { RoomScreen(room(Floor.Idle, *crew).copy(code = "4711-acid-lemon"), null, {}) }),
    Shot("room-speaking", tab(Tab.ROOMS) { RoomScreen(room(Floor.Speaking, *crew).copy(endingS = 9), null, {}) }),
    Shot("room-taken", tab(Tab.ROOMS) { RoomScreen(room(Floor.Taken(MemberId(id(1))), *crew).copy(said = listOf(Said(MemberId(id(2)), "Boat is ready"))), null, {}) }),
    Shot("room-queued", tab(Tab.ROOMS) { RoomScreen(room(Floor.Queued(2u), *crew, online = false), null, {}) }),
    Shot("room-alone", tab(Tab.ROOMS) { RoomScreen(room(Floor.Idle), null, {}) }),
    Shot("room-open", tab(Tab.ROOMS) { RoomScreen(room(null, *crew, hand = true).copy(muteAsked = MemberId(id(1))), null, {}) }),
    Shot("strangers", tab(Tab.STRANGERS) { StrangersScreen(StrangersState(nickname = "harbour", active = 128u), null, {}) }),
    Shot("strangers-searching", tab(Tab.STRANGERS) { StrangersScreen(StrangersState(StrangerView.Searching(true)), null, {}) }),
    Shot("strangers-found", tab(Tab.STRANGERS) { StrangersScreen(StrangersState(StrangerView.Found(MatchId(id(1)), listOf("sailing", "radio"), false, 20_000u)), null, {}) }),
    Shot("stranger", tab(Tab.STRANGERS) { StrangersScreen(meeting, null, {}) }),
    Shot("stranger-call", tab(Tab.STRANGERS) { StrangersScreen(meeting.copy(view = StrangerView.With(stranger(StrangerCall(CallId(id(1)), CallDirection.INCOMING, CallState.Ringing, MicrophoneState.ON, MicrophoneState.ON, HearingState.ON)))), null, {}) }),
    Shot("stranger-unheard", tab(Tab.STRANGERS) { StrangersScreen(meeting.copy(view = StrangerView.With(stranger(StrangerCall(CallId(id(1)), CallDirection.INCOMING, CallState.Connected, MicrophoneState.ON, MicrophoneState.ON, HearingState.OFF)))), null, {}) }),
    Shot("strangers-burned", tab(Tab.STRANGERS) { StrangersScreen(burned, null, {}) }),
    Shot("strangers-nobody", tab(Tab.STRANGERS) { StrangersScreen(StrangersState(nickname = "harbour", failure = SearchFailure.Nobody), ErrorCode.OFFLINE, {}) }),
    Shot("settings", tab(Tab.SETTINGS) { SettingsScreen(settings, null, {}, {}, {}) }),
    Shot("settings-receipts", tab(Tab.SETTINGS) { Page(androidx.compose.ui.res.stringResource(org.sidetone.sample.R.string.receipts)) { Receipts(settings.copy(receipts = receipts), {}) } }),
    Shot("settings-deleting", tab(Tab.SETTINGS) { SettingsScreen(settings.copy(preferences = null, asking = Danger.DELETE), ErrorCode.OFFLINE, {}, {}, {}) }),
    Shot("trouble-address") { TroubleScreen(Trouble.NO_SERVER, {}) { ServerCard("wss://meet.exmaple") {} } },
    Shot("trouble-saved") { TroubleScreen(Trouble.STORE_DAMAGED, {}, null, settings.exported, {}) },
) + Trouble.entries.map { trouble -> Shot("trouble-" + trouble.name.lowercase().replace('_', '-')) { TroubleScreen(trouble, {}, {}) } }
