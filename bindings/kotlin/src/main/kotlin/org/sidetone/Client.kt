package org.sidetone

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.channels.BufferOverflow
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableSharedFlow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.SharedFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asSharedFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import java.util.concurrent.ConcurrentHashMap

/**
 * One phone's Sidetone.
 *
 * Every function may be called from any thread, the main thread too. What an app shows it collects from the state flows,
 * which always hold the latest; [events] tells what happened meanwhile.
 */
public class Client private constructor(private val raw: RawClient, dispatcher: CoroutineDispatcher) {
    private val scope = CoroutineScope(SupervisorJob() + dispatcher)
    private val told = MutableSharedFlow<Event>(extraBufferCapacity = 256, onBufferOverflow = BufferOverflow.DROP_OLDEST)
    private val isOnline = MutableStateFlow(false)
    private val theAccount = MutableStateFlow<AccountView?>(null)
    private val everybody = MutableStateFlow<List<Friend>>(emptyList())
    private val theCalls = MutableStateFlow<List<CallView>>(emptyList())
    private val theTransfers = MutableStateFlow<List<Transfer>>(emptyList())
    private val theRooms = MutableStateFlow<List<RoomView>>(emptyList())
    private val intent = MutableStateFlow(AudioIntent.IDLE)
    private val known = ConcurrentHashMap<CallId, Call>()
    // How the last calls ended: who comes with an older look at one must not wait for ever.
    private val past = ArrayDeque<CallView>()
    private val entered = ConcurrentHashMap<RoomId, Room>()

    /** What happened, in order. Who collects too slowly misses the oldest; the state flows never lie. */
    public val events: SharedFlow<Event> = told.asSharedFlow()

    /** Whether the server knows that we are here. */
    public val online: StateFlow<Boolean> = isOnline.asStateFlow()

    /** The account of this device, if there is one. */
    public val account: StateFlow<AccountView?> = theAccount.asStateFlow()

    /** Everybody the account has something to do with. */
    public val friends: StateFlow<List<Friend>> = everybody.asStateFlow()

    /** The calls that are on. */
    public val calls: StateFlow<List<CallView>> = theCalls.asStateFlow()

    /** What the phone's sound should be set to. */
    public val audio: StateFlow<AudioIntent> = intent.asStateFlow()

    /** Transfers of files that are not over. */
    public val transfers: StateFlow<List<Transfer>> = theTransfers.asStateFlow()

    /** The rooms we are in. */
    public val rooms: StateFlow<List<RoomView>> = theRooms.asStateFlow()

    /** Calls that begin to ring here. */
    public val incoming: Flow<Call> = calls.ringing().map { view -> of(view) }

    /** Random chat with somebody unknown. */
    public val strangers: Strangers = Strangers(this)

    /** Where the sound goes in and out. */
    public val sound: Sound = Sound(raw.sound().value)

    /** By which number the media port knows this client. */
    internal val number: Long = raw.sound().value.toLong()

    /** Where the pictures of the call that is on go in and out. */
    public val video: Video = Video(raw.sound().value, this)

    private val begun = CompletableDeferred<Unit>()

    // Last: it uses what is above.
    private val pump: Job = scope.launch { pull() }

    /** Ends everything and returns when all of it is gone; again is harmless. Nothing is told afterwards. */
    public suspend fun close() {
        try {
            ask { raw.shutDown() }
        } catch (_: SidetoneException) {
            // It is closed.
            return
        }
        pump.cancelAndJoin()
        known.values.forEach(Call::over)
        known.clear()
        entered.values.forEach { it.over(RoomEnd.LEFT) }
        entered.clear()
        raw.destroy()
    }

    /** The phone has another network, or its network is back: for `ConnectivityManager.NetworkCallback`. */
    public fun networkChanged(network: NetworkSnapshot): Unit = ask { raw.networkChanged(network) }

    /** The app is seen again. */
    public fun onForeground(): Unit = ask { raw.onForeground() }

    /** The app may be ended at any moment; returns when everything is in the store's file. */
    public suspend fun onBackground(): Unit = ask { raw.onBackground() }

    /** Makes an account and enters it. Cancelling the coroutine ends the wait at once. */
    public suspend fun register(name: String, email: String, password: String) {
        ask { raw.register(name, email, password) }.await()
    }

    /** Enters an account from this device; friends see that the key changed. */
    public suspend fun signIn(name: String, password: String) {
        ask { raw.signIn(name, password) }.await()
    }

    /** Leaves the account and forgets everything about it on this device. */
    public suspend fun signOut() {
        ask { raw.signOut() }.await()
    }

    /** Deletes the account at the server and everything about it on this device. */
    public suspend fun deleteAccount() {
        ask { raw.deleteAccount() }.await()
    }

    /** Everything the server keeps about the account, as JSON. */
    public suspend fun exportAccount(): String = (ask { raw.exportAccount() }.await() as Outcome.Text).text

    /** Chooses who may learn this phone's addresses. */
    public suspend fun setAddresses(rule: AddressRule): Unit = ask { raw.setAddresses(rule) }

    /** How the way to a friend stands, why, and the one thing that helps. */
    public suspend fun connectivity(user: UserId): ConnectivityReport = ask { raw.connectivity(user) }

    /** Chooses whether one friend may learn this phone's addresses; null for what counts for others. */
    public suspend fun setAddressesFor(user: UserId, rule: AddressRule?): Unit = ask { raw.setAddressesFor(user, rule) }

    /** By what push services know the server (RFC 8292): what a phone names when it subscribes to UnifiedPush. */
    public suspend fun pushKey(): ByteArray = ask { raw.pushKey() }

    /** Where this phone is woken when a friend calls; null for nowhere. To be told each time the client is opened. */
    public suspend fun setPush(address: PushAddress?): Unit = ask { raw.setPush(address) }

    /** A wake-up came: the client connects at once, and what it is about shows as it would have anyway. */
    public fun handlePush(): Unit = ask { raw.handlePush() }

    /** Chooses whether friends learn what was read. */
    public suspend fun setReceipts(rule: ReceiptRule): Unit = ask { raw.setReceipts(rule) }

    /** Asks the person with exactly this name to be a friend; a [key] that came by link or code is pinned. */
    public suspend fun befriend(name: String, key: PublicKey? = null): UserId =
        (ask { raw.befriend(name, key) }.await() as Outcome.Person).user

    /** Accepts a friend request. */
    public suspend fun accept(user: UserId): Unit = ask { raw.accept(user) }

    /** Declines a friend request; its sender is not told. */
    public suspend fun decline(user: UserId): Unit = ask { raw.decline(user) }

    /** Ends a friendship or withdraws a request. */
    public suspend fun unfriend(user: UserId): Unit = ask { raw.unfriend(user) }

    /** Ends whatever there is with a person and refuses all that comes from them. */
    public suspend fun block(user: UserId): Unit = ask { raw.block(user) }

    /** Lifts a block. */
    public suspend fun unblock(user: UserId): Unit = ask { raw.unblock(user) }

    /** Notes that people compared the safety number, or that it no longer counts. */
    public suspend fun setVerified(user: UserId, verified: Boolean): Unit =
        ask { if (verified) raw.markVerified(user) else raw.markUnverified(user) }

    /** Takes the key that a friend has now for theirs, after [Friend.changedKey] was shown to the user. */
    public suspend fun acceptKey(user: UserId, key: PublicKey): Unit = ask { raw.acceptKey(user, key) }

    /** One person, as of now. */
    public suspend fun friend(user: UserId): Friend? = ask { raw.friend(user) }

    /** The sixty digits that two friends compare. */
    public suspend fun safetyNumber(user: UserId): String? = ask { raw.safetyNumber(user) }

    /** The same as the text of a QR code. */
    public suspend fun safetyCode(user: UserId): String? = ask { raw.safetyCode(user) }

    /** Compares a friend's scanned code with ours; if they match, the friend is verified. */
    public suspend fun scan(user: UserId, scanned: String): Comparison = ask { raw.scan(user, scanned) }

    /** Every conversation, the one with the newest entry first. */
    public suspend fun chats(): List<ChatView> = ask { raw.chats() }

    /** Texts that hold these words, newest first, of one conversation or of all; read as far as they are collected. */
    public fun search(words: String, peer: UserId? = null): Flow<Hit> = flow {
        ask { raw.search(peer, words) }.use { search ->
            while (true) {
                val page = search.next(50u)
                if (page.isEmpty()) break
                page.forEach { emit(it) }
            }
        }
    }

    /** What the user of this device prefers; [Event.Preferences] tells that it changed. */
    public suspend fun preferences(): Preferences = ask { raw.preferences() }

    /** Chooses how the app looks. */
    public suspend fun prefer(theme: Theme): Unit = ask { raw.preferTheme(theme) }

    /** Chooses which routes the links made from now on may take. */
    public suspend fun prefer(routes: RouteRule): Unit = ask { raw.preferRoutes(routes) }

    /** Chooses up to how many bytes files of friends are taken without asking. */
    public suspend fun preferAcceptBelow(bytes: ULong): Unit = ask { raw.preferAcceptBelow(bytes) }

    /** Chooses the language of the app as a BCP 47 tag; null for the system's. */
    public suspend fun preferLanguage(tag: String?): Unit = ask { raw.preferLanguage(tag) }

    /**
     * Writes everything kept on this device into a [folder], readable; a [passphrase] seals the identity into it.
     */
    public suspend fun exportData(
        folder: String,
        passphrase: String? = null,
        server: ServerExport = ServerExport.OMITTED,
    ): ExportReport = (ask { raw.exportData(folder, passphrase, server) }.await() as Outcome.Exported).report

    /** What this client did since it was opened, in numbers: for a page that a user shows to whoever helps. */
    public suspend fun diagnostics(): Diagnostics = ask { raw.diagnostics() }

    /** What passed with friends, rooms and strangers of late, newest first: for the user to see. It is in memory only. */
    public suspend fun privacyReceipts(): List<PrivacyReceipt> = ask { raw.privacyReceipts() }

    /** Which files are taken, and which without asking. */
    public suspend fun filePolicy(): FilePolicy = ask { raw.filePolicy() }

    /** Chooses which files are taken, and which without asking. */
    public suspend fun setFilePolicy(policy: FilePolicy): Unit = ask { raw.setFilePolicy(policy) }

    /** Destroys everything on this device, the [downloads] folder with it, and closes the client. The account stays. */
    public suspend fun wipe(downloads: String? = null): WipeReport = ask { raw.wipe(downloads) }.also { close() }

    /** Takes a file that was offered. */
    public suspend fun acceptFile(transfer: TransferId): Unit = ask { raw.acceptFile(transfer) }

    /** Does not take a file that was offered; its sender is told. */
    public suspend fun declineFile(transfer: TransferId): Unit = ask { raw.declineFile(transfer) }

    /** Holds a transfer; what arrived stays. */
    public suspend fun pauseFile(transfer: TransferId): Unit = ask { raw.pauseFile(transfer) }

    /** Lets a transfer go on that was held here. */
    public suspend fun resumeFile(transfer: TransferId): Unit = ask { raw.resumeFile(transfer) }

    /** Gives a transfer up, from either side. */
    public suspend fun cancelFile(transfer: TransferId): Unit = ask { raw.cancelFile(transfer) }

    /** Lets go of the store's file until [onForeground]; returns when the file is free. */
    public suspend fun pause(): Unit = ask { raw.pause() }

    /** Whether everything kept is whole; throws the code `STORAGE` if it is not. */
    public suspend fun checkStore(): Unit = ask { raw.checkStore() }

    /** The conversation with a friend. */
    public fun chat(peer: UserId): Chat = Chat(peer, this)

    /** Calls a friend and returns while it rings there. */
    public suspend fun call(peer: UserId): Call {
        val id = ask { raw.call(peer) }
        val view = ask { raw.calls() }.find { it.call == id }
        return of(view ?: gone(id, peer))
    }

    /** The call behind what [calls] shows. */
    public fun of(view: CallView): Call = synchronized(past) {
        val now = past.find { it.call == view.call } ?: view
        if (now.state is CallState.Ended) known[now.call] ?: Call(now, this) else known.getOrPut(now.call) { Call(now, this) }
    }

    /** Opens a room and enters it as its creator, with an account or without; [usualPolicy] is a good begin. */
    public suspend fun createRoom(policy: RoomPolicy, us: RoomGuest, name: String? = null): Room =
        room(ask { raw.createRoom(policy, name, us) })

    /** Enters a room by its link: what a person pasted or scanned. */
    public suspend fun joinLink(link: String, us: RoomGuest): Room = room(ask { raw.joinLink(link, us) })

    /** Enters a room by a code that was said aloud, such as `4711-acid-lemon`. */
    public suspend fun joinCode(code: String, us: RoomGuest): Room = room(ask { raw.joinCode(code, us) })

    /** A code that lets others in, as a link: to be pasted, or scanned as a QR code. */
    public fun codeLink(code: String): String = ask { raw.codeLink(code) }

    /** Enters a remembered room again, as whom we were there. */
    public suspend fun rejoin(room: RoomId): Room = room(ask { raw.rejoinRoom(room) })

    /** The rooms that this device remembers. */
    public suspend fun recentRooms(): List<RecentRoom> = ask { raw.recentRooms() }

    /** Forgets a remembered room that was left. */
    public suspend fun forgetRoom(room: RoomId): Unit = ask { raw.forgetRoom(room) }

    /** The room behind what [rooms] shows. */
    public fun of(view: RoomView): Room = entered.computeIfAbsent(view.room) { Room(view, this) }

    private suspend fun room(id: RoomId): Room {
        val view = ask { raw.rooms() }.find { it.room == id } ?: throw gone(ErrorCode.NO_SUCH_ROOM, "the room is over")
        return of(view).also { it.changed(view) }
    }

    internal fun core(): RawClient = raw

    /** Uses the core; after [close] the answer is the same as the core's own while it closes. */
    internal inline fun <T> ask(use: () -> T): T = try {
        use()
    } catch (gone: IllegalStateException) {
        // Being cancelled is one of these as well.
        throw if (gone is CancellationException) gone else closed(gone)
    }

    private suspend fun pull() {
        try {
            read(Event.Refresh)
        } finally {
            begun.complete(Unit)
        }
        while (true) {
            val batch = raw.nextEvents()
            if (batch.isEmpty()) return
            batch.forEach(::note)
            batch.distinctBy(::subject).forEach { read(it) }
            batch.forEach(told::tryEmit)
        }
    }

    private fun note(event: Event) {
        when (event) {
            is Event.Online -> isOnline.value = true
            is Event.Offline, is Event.Stopped -> isOnline.value = false
            is Event.Call -> {
                val call = of(event.view)
                call.changed(event.view)
                if (event.view.state is CallState.Ended) synchronized(past) {
                    known.remove(event.view.call)
                    past.addFirst(event.view)
                    if (past.size > 16) past.removeLast()
                }
            }
            is Event.Video -> video.rates.note(event.event)
            is Event.RoomVideo -> entered[event.room]?.video?.rates?.note(event.event)
            is Event.Room -> (event.event as? RoomEvent.Ended)?.let { entered.remove(event.room)?.over(it.reason) }
            else -> Unit
        }
    }

    /** Reads again what an event hints at. */
    private suspend fun read(event: Event) = try {
        when (subject(event)) {
            Subject.ALL -> {
                theAccount.value = raw.account()
                everybody.value = raw.friends()
                theTransfers.value = raw.transfers()
                readRooms(afresh = true)
                strangers.changed(raw.stranger())
                readCalls()
            }
            Subject.FRIENDS -> everybody.value = raw.friends()
            Subject.TRANSFERS -> theTransfers.value = raw.transfers()
            Subject.CALLS -> readCalls()
            Subject.ROOMS -> readRooms()
            Subject.STRANGER -> {
                strangers.changed(raw.stranger())
                settlePictures()
                settleSound()
            }
            Subject.NOTHING -> Unit
        }
    } catch (_: SidetoneException) {
        // The client closes or stopped: the next batch says so.
    }

    private suspend fun readCalls() {
        val now = raw.calls()
        now.forEach { of(it).changed(it) }
        theCalls.value = now
        settlePictures()
        settleSound()
    }

    private suspend fun readRooms(afresh: Boolean = false) {
        val before = entered.keys.toSet()
        val now = raw.rooms()
        // Events were missed: the word with which a room ended may be among them.
        if (afresh) (before - now.mapTo(HashSet()) { it.room }).forEach { entered.remove(it)?.over(RoomEnd.LOST) }
        now.forEach { of(it).changed(it) }
        theRooms.value = now
        settleSound()
    }

    private fun settlePictures() = video.rates.shown(theCalls.value.firstOrNull()?.shows ?: strangers.stranger?.call?.shows)

    private fun settleSound() {
        intent.value = audioIntent(theCalls.value, theRooms.value, strangers.stranger?.call)
    }

    public companion object {
        /**
         * Opens a client: asks the [vault] for the key, opens the store, and starts to connect. When it returns the state flows
         * hold what the phone holds.
         *
         * @throws SidetoneException with one of the codes above 200; nothing is left running.
         */
        public suspend fun open(
            options: ClientOptions,
            vault: KeyVault,
            dispatcher: CoroutineDispatcher = Dispatchers.Default,
        ): Client {
            Attached.once
            // Cancelled, `withContext` throws although the client was made; who was cancelled will not close it.
            var made: Client? = null
            val client = try {
                withContext(Dispatchers.IO + NonCancellable) { Client(RawClient.open(options, vault), dispatcher).also { made = it } }
                    .also { it.begun.await() }
            } catch (cancelled: CancellationException) {
                withContext(NonCancellable) { made?.close() }
                throw cancelled
            }
            return client
        }

        /** Reads the export in a [folder] into a [store] that holds nothing yet and that no client has open. */
        public suspend fun importData(
            folder: String,
            store: String,
            vault: KeyVault,
            passphrase: String? = null,
            files: String? = null,
        ): ImportReport = withContext(Dispatchers.IO) { org.sidetone.importData(folder, store, files, vault, passphrase) }

        /** Exports what can still be read of a damaged [store] that no client has open; it is left as it is. */
        public suspend fun salvageData(store: String, vault: KeyVault, folder: String, passphrase: String? = null): ExportReport =
            withContext(Dispatchers.IO) { org.sidetone.salvageData(store, vault, folder, passphrase) }

        /** Forgets a part of a [store] that no client has open. */
        public suspend fun forgetData(store: String, vault: KeyVault, part: StorePart): Unit =
            withContext(Dispatchers.IO) { org.sidetone.forgetData(store, vault, part) }
    }
}

private enum class Subject { ALL, FRIENDS, CALLS, ROOMS, STRANGER, TRANSFERS, NOTHING }

private fun subject(event: Event): Subject = when (event) {
    is Event.SignedIn, is Event.SignedOut, is Event.Revoked, is Event.Refresh -> Subject.ALL
    is Event.Friend, is Event.Message, is Event.Online, is Event.Offline -> Subject.FRIENDS
    is Event.Call -> Subject.CALLS
    is Event.Transfer -> Subject.TRANSFERS
    is Event.Stranger -> if (event.event is StrangerEvent.Typing) Subject.NOTHING else Subject.STRANGER
    is Event.Room -> when (event.event) {
        // These change nothing in the room's view.
        is RoomEvent.Loud, is RoomEvent.Text, is RoomEvent.Reaction, is RoomEvent.MuteAsked -> Subject.NOTHING
        else -> Subject.ROOMS
    }
    is Event.Marks, is Event.Typing, is Event.Announcement, is Event.Stopped -> Subject.NOTHING
    is Event.Amended, is Event.Chat, is Event.Preferences, is Event.Video, is Event.RoomVideo,
    is Event.NetworkUntold -> Subject.NOTHING
}

/** A call that was over before anybody looked. */
private fun gone(call: CallId, peer: UserId): CallView {
    val (muted, dark, all) = Triple(MicrophoneState.OFF, Shows(false, null), Wants(UShort.MAX_VALUE, UShort.MAX_VALUE))
    val over = CallState.Ended(CallEnd.Unreachable)
    return CallView(call, peer, CallDirection.OUTGOING, over, null, muted, muted, dark, dark, all)
}
