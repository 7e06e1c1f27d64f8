package org.sidetone.sample.logic

import kotlinx.coroutines.*
import kotlinx.coroutines.flow.*
import org.sidetone.*
import java.io.File
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/** Where the app as a whole is. */
sealed interface Stage {
    data object Opening : Stage

    /** It cannot go on by itself. */
    data class Blocked(val trouble: Trouble, val saved: ExportReport? = null) : Stage

    /** Nobody is signed in on this phone. Rooms and strangers need nobody. */
    data class Welcome(val form: Form = Form()) : Stage

    data object Home : Stage
}

/** What a person types to come in. */
data class Form(
    val name: String = "",
    val email: String = "",
    val password: String = "",
    val isNew: Boolean = true,
    val busy: Boolean = false,
) {
    val ready: Boolean get() = name.isNotBlank() && password.isNotBlank() && (!isNew || email.isNotBlank()) && !busy
}

/** The app from its start to its end: opens the client, and says which screen comes. */
class Sample(outer: CoroutineScope, private val device: Device, private val opening: suspend () -> Client) :
    Logic<Stage>(outer, Stage.Opening) {
    private var opened = CompletableDeferred<Client>()
    private var desk: Home? = null
    private var watching: Job? = null

    /** Where everybody is met. */
    val server: String get() = device.server

    /** What is behind the screens, from [Stage.Home] on. */
    val home: Home? get() = desk

    suspend fun client(): Client = opened.await()

    /** A wake-up came: connects, and says whether a call rings, which may take as long as Android lets a broadcast. */
    suspend fun wake(limit: Duration = 9.seconds): Boolean = withTimeoutOrNull(limit) {
        client().handlePush()
        client().calls.first { it.isNotEmpty() }
    } != null

    /** Opens the client; again after the person did something about what blocked it. */
    suspend fun start() {
        stop()
        change { Stage.Opening }
        val client = try {
            opening()
        } catch (error: SidetoneException) {
            change { Stage.Blocked(troubleOf(error.code)) }
            return
        }
        opened.complete(client)
        watching = scope.launch { watch(client) }
    }

    private suspend fun stop() {
        if (!opened.isCompleted) return
        part()
        client().close()
        opened = CompletableDeferred()
    }

    private fun part() {
        watching?.cancel()
        desk?.close()
        desk = null
    }

    private suspend fun watch(client: Client): Unit = coroutineScope {
        launch { client.events.collect(::note) }
        client.account.collect { account ->
            if (account == null) leave() else if (account.valid) enter(client) else change { Stage.Blocked(Trouble.SIGNED_OUT) }
        }
    }

    fun type(form: Form) = change { if (this is Stage.Welcome) Stage.Welcome(form) else this }

    /** Registers or signs in. */
    suspend fun signIn() {
        val form = (state.value as? Stage.Welcome)?.form ?: return
        type(form.copy(busy = true))
        val client = client()
        val done = attempt {
            if (form.isNew) client.register(form.name, form.email, form.password) else client.signIn(form.name, form.password)
        }
        if (!done) refused(form)
    }

    /** Meets everybody at another server from now on. */
    suspend fun use(server: String) {
        device.server = server.trim()
        start()
    }

    /** Writes what can still be read of a damaged store where the person finds it. */
    suspend fun salvage() {
        val saved = device.store.run { Client.salvageData(file, vault, device.exportFolder()) }
        change { Stage.Blocked(Trouble.STORE_DAMAGED, saved) }
    }

    /** Takes away what cannot be opened any more, and begins anew. */
    suspend fun erase() {
        device.store.vault.forgetKey()
        val file = File(device.store.file)
        file.parentFile.listFiles { one -> one.name.startsWith(file.name) }.orEmpty().forEach(File::delete)
        start()
    }

    /** Destroys everything on this phone, the key first, and begins anew; the account stays at the server. */
    suspend fun wipe() {
        part()
        client().wipe(device.store.downloads)
        start()
    }

    /** Back from what blocked the way, to typing again. */
    fun again() = change { Stage.Welcome(typed ?: Form(isNew = false)) }

    private var typed: Form? = null

    private fun refused(form: Form) {
        typed = form.copy(password = "", busy = false)
        if (notice.value == ErrorCode.WRONG_LOGIN) change { Stage.Blocked(Trouble.WRONG_PASSWORD) } else type(form.copy(busy = false))
    }

    private fun note(event: Event) {
        when (event) {
            is Event.Revoked -> change { Stage.Blocked(troubleOf(event.error.code)) }
            is Event.Stopped -> change { Stage.Blocked(troubleOf(event.error.code)) }
            else -> Unit
        }
    }

    private fun enter(client: Client) {
        if (desk == null) desk = Home(scope, client, device)
        change { Stage.Home }
    }

    private fun leave() {
        desk?.close()
        desk = null
        change { if (this is Stage.Welcome) this else Stage.Welcome() }
    }
}
