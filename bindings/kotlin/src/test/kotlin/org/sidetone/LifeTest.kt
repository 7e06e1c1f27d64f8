package org.sidetone

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.sidetone.testkit.TestServer
import java.io.File
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.time.Duration.Companion.seconds

class LifeTest {
    // A test that failed elsewhere may have left some: they are not this one's.
    private val before = liveObjects()

    @AfterEach
    fun `nothing is left`() {
        // What nobody holds goes when the collector finds it.
        for (attempt in 1..100) {
            if (liveObjects() <= before) return
            collect()
        }
        assertEquals(before, liveObjects())
    }

    private class Throwing(private val what: () -> ByteArray) : KeyVault {
        override fun loadOrCreate(): ByteArray = what()

        override fun forgetKey(): Unit = error("never")
    }

    private suspend fun opening(options: ClientOptions = Phones.options(), vault: KeyVault = FixedVault()): ErrorCode =
        failure { Client.open(options, vault).close() }

    @Test
    fun `whatever the app's vault throws is an error with a code`() = check {
        assertEquals(ErrorCode.VAULT_LOCKED, opening(vault = Throwing { throw VaultProblem.Locked() }))
        assertEquals(ErrorCode.VAULT_LOST, opening(vault = Throwing { throw VaultProblem.Lost() }))
        assertEquals(ErrorCode.VAULT_FAILED, opening(vault = Throwing { throw VaultProblem.Failed() }))
        assertEquals(ErrorCode.VAULT_FAILED, opening(vault = Throwing { error("anything") }))
        assertEquals(ErrorCode.VAULT_FAILED, opening(vault = Throwing { throw StackOverflowError() }))
    }

    @Test
    fun `a key that is not 32 bytes is no key`() = check {
        for (length in listOf(0, 31, 33, 1_000_000)) {
            assertEquals(ErrorCode.VAULT_LOST, opening(vault = FixedVault(ByteArray(length))))
        }
    }

    @Test
    fun `what is no server is refused`() = check {
        for (server in listOf("", "meet", "http://meet.example", "wss://", "ws://meet.example", "wss://\u0000", "x".repeat(100_000))) {
            assertEquals(ErrorCode.SERVER_ADDRESS, opening(Phones.options(server)), server.take(30))
        }
        assertEquals(ErrorCode.BIND_ADDRESS, opening(ClientOptions("ws://127.0.0.1:1", bind = listOf("here"))))
        assertEquals(ErrorCode.CERTIFICATE, opening(ClientOptions("wss://127.0.0.1:1", roots = listOf(ByteArray(9)))))
    }

    @Test
    fun `a store opens with its own key and once`(@TempDir folder: File) = check {
        val file = File(folder, "me.db").path
        val phone = Phones.registered(store = file)
        val name = phone.name()
        assertEquals(ErrorCode.STORE_IN_USE, opening(Phones.options(store = file)))
        phone.close()
        assertEquals(ErrorCode.STORE_WRONG_KEY, opening(Phones.options(store = file), FixedVault(ByteArray(32))))
        val again = Client.open(Phones.options(store = file), FixedVault())
        assertEquals(name, again.account.value?.name)
        again.close()
        assertEquals(ErrorCode.STORE_FAILED, opening(Phones.options(store = File(folder, "no/such/folder/x.db").path)))
    }

    @Test
    fun `preferences are kept without an account and the store is whole`(@TempDir folder: File) = check {
        val file = File(folder, "me.db").path
        val phone = Phones.bare(store = file)
        phone.prefer(Theme.DARK)
        phone.prefer(RouteRule.RELAY_ONLY)
        phone.preferAcceptBelow(7u)
        phone.preferLanguage("de-AT")
        phone.checkStore()
        phone.pause()
        phone.onForeground()
        phone.close()
        val again = Client.open(Phones.options(store = file), FixedVault())
        val kept = again.preferences()
        assertEquals(listOf(Theme.DARK, RouteRule.RELAY_ONLY, 7uL, "de-AT"), listOf(kept.theme, kept.routes, kept.acceptBelow, kept.language))
        again.close()
    }

    @Test
    fun `what is kept can be taken along and destroyed`(@TempDir folder: File) = check {
        val (file, vault) = File(folder, "me.db") to FixedVault()
        val phone = Client.open(Phones.options(store = file.path), vault)
        phone.online.until { it }
        val name = Phones.name()
        phone.register(name, "$name@example.org", "a long password")
        val out = File(folder, "out").apply { mkdir() }
        assertTrue(phone.exportData(out.path).rows > 0u)
        assertTrue(name in File(out, "sidetone-export.json").readText())
        assertEquals(ErrorCode.EXPORT_FOLDER, failure { phone.exportData(File(file, "such").path) })
        val report = phone.wipe(downloads = out.path)
        assertTrue(report.keyDestroyed && vault.forgotten && !file.exists() && !out.exists())
        assertEquals(ErrorCode.CLOSED, failure { phone.chats() })
    }

    @Test
    fun `what was taken along is brought to another phone`(@TempDir folder: File) = check {
        val duo = Phones.friends(folder = folder)
        duo.anna.chat(duo.benId).send("do not forget me")
        val name = duo.anna.name()
        val out = File(folder, "out").path
        assertEquals(ErrorCode.PASSPHRASE, failure { duo.anna.exportData(out, "") })
        assertTrue(duo.anna.exportData(out, "a long passphrase").rows > 2u)
        duo.close()
        val (store, vault) = File(folder, "new.db").path to FixedVault(ByteArray(32) { 9 })
        assertEquals(ErrorCode.WRONG_PASSPHRASE, failure { Client.importData(out, store, vault, "another") })
        assertEquals(ErrorCode.IMPORT_FOLDER, failure { Client.importData(File(folder, "nothing").path, store, vault) })
        val report = Client.importData(out, store, vault, "a long passphrase")
        assertEquals(ImportedIdentity.RESTORED, report.identity)
        assertEquals(ErrorCode.NOT_EMPTY, failure { Client.importData(out, store, vault, "a long passphrase") })
        val saved = Client.salvageData(store, vault, File(folder, "saved").path)
        assertEquals(0uL, saved.damaged)
        val bad = File(folder, "bad").apply { mkdir() }
        File(bad, "sidetone-export.json").writeText("{}")
        assertEquals(ErrorCode.NOT_AN_EXPORT, failure { Client.importData(bad.path, File(folder, "x.db").path, vault) })
        val phone = Client.open(Phones.options(store = store), vault)
        phone.online.until { it }
        assertEquals("do not forget me", phone.chat(duo.benId).history().last { it.text.isNotEmpty() }.text)
        phone.signIn(name, "password of $name")
        phone.close()
        Client.forgetData(store, vault, StorePart.MESSAGES)
        assertEquals(ErrorCode.STORE_WRONG_KEY, failure { Client.forgetData(store, FixedVault(), StorePart.CACHE) })
        val again = Client.open(Phones.options(store = store), vault)
        assertTrue(again.chat(duo.benId).history().isEmpty() && again.name() == name)
        again.close()
    }

    @Test
    fun `numbers tell what a client did`() = check {
        val duo = Phones.friends()
        val (hers, _) = duo.talk()
        val told = duo.anna.diagnostics()
        assertTrue(told.sockets == 1uL && told.signalingSent > 0u && told.signalingReceived > 0u && told.malformedFrames == 0uL, "$told")
        assertEquals(LinkPeer.Friend(duo.benId), told.links.single().peer)
        assertTrue(told.calls.first().call == hers.id && told.calls.first().phases.any { it.name == "connected" && it.ms > 0.0 })
        duo.close()
    }

    @Test
    fun `closing twice is closing once`() = check {
        val phone = Phones.bare()
        phone.close()
        phone.close()
    }

    @Test
    fun `after the end everything says closed`() = check {
        val phone = Phones.bare()
        val (chat, id) = phone.chat(UserId("00".repeat(16))) to UserId("00".repeat(16))
        phone.close()
        assertEquals(ErrorCode.CLOSED, failure { phone.signIn("a", "b") })
        assertEquals(ErrorCode.CLOSED, failure { phone.befriend("a") })
        assertEquals(ErrorCode.CLOSED, failure { chat.send("a") })
        assertEquals(ErrorCode.CLOSED, failure { chat.history() })
        assertEquals(ErrorCode.CLOSED, failure { phone.call(id) })
        assertEquals(ErrorCode.CLOSED, failure { phone.onBackground() })
        assertEquals(ErrorCode.CLOSED, failure { phone.onForeground() })
        assertEquals(ErrorCode.CLOSED, failure { phone.networkChanged(NetworkSnapshot(NetworkKind.NONE, false, emptyList())) })
    }

    @Test
    fun `a client closes in every state`() = check {
        val nowhere = Client.open(Phones.options("ws://127.0.0.1:1"), FixedVault())
        nowhere.close()
        val registering = Phones.bare()
        val attempt = async { runCatching { registering.register(Phones.name(), "x@example.org", "a long password") } }
        registering.close()
        assertTrue(attempt.await().exceptionOrNull().let { it is SidetoneException || it == null })
        for (stage in 0..2) {
            val duo = Phones.friends()
            when (stage) {
                0 -> duo.anna.call(duo.benId)
                1 -> duo.rings(duo.anna.call(duo.benId)).answer()
                else -> duo.talk()
            }
            withTimeout(30.seconds) { duo.close() }
        }
    }

    @Test
    fun `who closes in a call is gone at once for the other`() = check {
        val duo = Phones.friends()
        val (_, his) = duo.talk()
        duo.anna.close()
        withTimeout(30.seconds) { his.ended() }
        duo.close()
    }

    @Test
    fun `a cancelled coroutine cancels its operation although the server says nothing`() = check {
        val server = TestServer.start()
        val phone = Phones.bare(server.url())
        server.freeze()
        val login = phone.core().signIn("somebody", "a long password")
        val other = async(Dispatchers.Default, CoroutineStart.UNDISPATCHED) { failure { login.outcome() } }
        val waiting = launch(start = CoroutineStart.UNDISPATCHED) { login.await() }
        assertEquals(Progress.RUNNING, login.progress())
        waiting.cancelAndJoin()
        assertEquals(ErrorCode.CANCELLED, other.await())
        server.thaw()
        phone.close()
        server.destroy()
    }

    @Test
    fun `an opening that nobody waits for any more leaves nothing`() = check {
        repeat(20) {
            val opening = launch(Dispatchers.Default) { Client.open(Phones.options("ws://127.0.0.1:1"), FixedVault()) }
            opening.cancelAndJoin()
        }
        // What is left of them is counted after every test; one that is waited for is counted as long as it is open.
        val open = Client.open(Phones.options("ws://127.0.0.1:1"), FixedVault())
        assertTrue(liveObjects() > before)
        open.close()
    }

    @Test
    fun `an operation can be cancelled awaited and asked by many`() = check {
        val raw = RawClient.open(Phones.options("ws://127.0.0.1:1"), FixedVault())
        val operation = raw.signIn("somebody", "a long password")
        val answers = List(10) { async(Dispatchers.Default) { failure { operation.outcome() } } }
        operation.cancel()
        operation.cancel()
        val seen = answers.awaitAll().toSet()
        assertEquals(1, seen.size)
        assertTrue(seen.single() in setOf(ErrorCode.CANCELLED, ErrorCode.OFFLINE))
        assertTrue(operation.progress() in setOf(Progress.CANCELLED, Progress.FAILED))
        operation.destroy()
        raw.shutDown()
        raw.destroy()
    }

    @Test
    fun `without a server everything that needs one says offline and what to do`() = check {
        val server = TestServer.start()
        val phone = Phones.registered(server.url())
        server.stop()
        phone.online.until { !it }
        val error = failing { phone.befriend("somebody") }
        assertEquals(ErrorCode.OFFLINE to UserAction.CHECK_NETWORK, error.code to error.userAction)
        assertTrue(error.retryable)
        phone.close()
        server.destroy()
    }

    @Test
    fun `one client serves many threads at once`() = check {
        val phone = Phones.registered()
        val name = phone.name()
        val names = List(64) { async(Dispatchers.IO) { List(20) { phone.friends.value; phone.chat(UserId("00".repeat(16))).history(); phone.name() } } }
        assertEquals(setOf(name), names.awaitAll().flatten().toSet())
        phone.close()
    }

    @Test
    fun `events go on after the background`() = check {
        val duo = Phones.friends()
        duo.anna.onBackground()
        duo.anna.onForeground()
        val told = async { duo.anna.events.first { it is Event.Message } }
        duo.ben.chat(duo.annaId).send("good morning")
        assertEquals(duo.benId, (told.await() as Event.Message).peer)
        duo.close()
    }

    @Test
    fun `nothing is told after the end`() = check {
        val phone = Phones.registered()
        val told = CopyOnWriteArrayList<Event>()
        val watch = launch(Dispatchers.Default) { phone.events.collect { told += it } }
        phone.close()
        val before = told.size
        repeat(20) { kotlinx.coroutines.yield() }
        assertEquals(before, told.size)
        watch.cancelAndJoin()
    }

    @Test
    fun `the library's lines reach the app and a sink that throws harms nobody`() = check {
        val lines = CopyOnWriteArrayList<String>()
        val some = CountDownLatch(1)
        setLogSink(object : LogSink {
            override fun log(level: LogLevel, line: String) {
                lines += line
                some.countDown()
                error("the disk is full")
            }
        }, LogLevel.DEBUG)
        val phone = Client.open(Phones.options("ws://127.0.0.1:1"), FixedVault())
        assertTrue(some.await(30, TimeUnit.SECONDS))
        assertTrue(lines.any { "no connection to the server" in it } && lines.none { "127.0.0.1" in it }, "$lines")
        phone.close()
    }

    @Test
    fun `sound never passes as a list of numbers`() {
        val classes = listOf(RawClient::class.java, Operation::class.java)
        val types = classes.flatMap { it.methods.toList() }.flatMap { it.genericParameterTypes.toList() + it.genericReturnType }
        assertTrue(types.none { "Short" in it.typeName && "UShort" !in it.typeName }, "$types")
    }
}
