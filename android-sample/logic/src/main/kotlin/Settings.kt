package org.sidetone.sample.logic

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.*
import org.sidetone.*

/** What nobody can bring back. */
enum class Danger { WIPE, DELETE }

/** What one acquaintance came to, with the friend's name if it was one. */
data class Receipt(val about: PrivacyReceipt, val name: String?)

data class SettingsState(
    val me: AccountView? = null,
    val server: String = "",
    val online: Boolean = true,
    val preferences: Preferences? = null,
    val passphrase: String = "",
    val exporting: Boolean = false,
    val exported: ExportReport? = null,
    val folder: String? = null,
    /** What the server keeps about the account, word for word. */
    val kept: String? = null,
    /** What was erased of each stranger since the app was started. */
    val burned: List<BurnReport> = emptyList(),
    /** With whom this phone had to do, the newest first; null before anybody asked. */
    val receipts: List<Receipt>? = null,
    /** Whether the server wakes this phone when a friend calls. */
    val woken: Boolean = false,
    /** What was asked for and is not confirmed. */
    val asking: Danger? = null,
)

class SettingsLogic(outer: CoroutineScope, private val client: Client, private val device: Device) :
    Logic<SettingsState>(outer, SettingsState(server = device.server)) {
    init {
        client.events.filter { it is Event.Preferences }.onStart { emit(Event.Preferences) }.onEach { attempt { read() } }.launchIn(scope)
        client.account.onEach { change { copy(me = it) } }.launchIn(scope)
        client.online.onEach { change { copy(online = it) } }.launchIn(scope)
        val connected = client.online.filter { it }
        connected.onEach { quietly { device.subscribe(client.pushKey()) } }.launchIn(scope)
        connected.combine(device.reach) { _, at -> at }.onEach { at -> quietly { wake(at) } }.launchIn(scope)
        client.strangers.events.filterIsInstance<StrangerEvent.Ended>()
            .onEach { change { copy(burned = listOf(it.burned) + burned) } }.launchIn(scope)
    }

    suspend fun prefer(theme: Theme) = client.prefer(theme)

    suspend fun prefer(routes: RouteRule) = client.prefer(routes)

    suspend fun prefer(addresses: AddressRule) = client.setAddresses(addresses)

    suspend fun prefer(receipts: ReceiptRule) = client.setReceipts(receipts)

    fun type(passphrase: String) = change { copy(passphrase = passphrase) }

    /** Writes everything into a folder that the person may take along. */
    suspend fun export() {
        val folder = device.exportFolder()
        change { copy(exporting = true, exported = null) }
        val report = try {
            client.exportData(folder, state.value.passphrase.ifEmpty { null }, ServerExport.OMITTED)
        } finally {
            change { copy(exporting = false) }
        }
        change { copy(exported = report, folder = folder, passphrase = "") }
    }

    /** Asks the server what it keeps, and this phone what it did. */
    suspend fun receipts() {
        val names = client.friends.value.associate { it.user to it.name }
        val receipts = client.privacyReceipts().map { Receipt(it, (it.peer as? ReceiptPeer.Friend)?.let { friend -> names[friend.user] }) }
        change { copy(receipts = receipts) }
        val kept = client.exportAccount()
        change { copy(kept = kept) }
    }

    fun ask(danger: Danger?) = change { copy(asking = danger) }

    suspend fun delete() = client.deleteAccount()

    suspend fun signOut() = client.signOut()

    private suspend fun wake(at: PushAddress?) {
        client.setPush(at)
        change { copy(woken = at != null) }
    }

    private suspend fun read() = client.preferences().let { now -> change { copy(preferences = now) } }
}
