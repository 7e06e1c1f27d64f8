package org.sidetone.sample.logic

import kotlinx.coroutines.*
import kotlinx.coroutines.flow.*
import org.sidetone.*
import org.sidetone.testkit.TestServer
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.concurrent.atomic.AtomicInteger
import kotlin.math.sin
import kotlin.time.Duration.Companion.seconds

/** A phone around the app: gives what a test put into it. */
class Desk(private val folder: File? = null) : Device {
    override val language = "en"
    override var server = Person.server.url()
    override val store = Store(File(folder, "me.db").path, FixedVault(), File(folder, "received").path)
    override val reach = MutableStateFlow<PushAddress?>(null)

    /** By whom the app wants to be woken, as soon as it asked. */
    val waker = MutableStateFlow<ByteArray?>(null)

    override fun subscribe(key: ByteArray) {
        waker.value = key
    }
    var forbidden = emptySet<Permission>()
    var picked: String? = null
    val shared = ArrayList<String>()
    val opened = ArrayList<String>()

    /** Whether the person is asked, and what they wait for before they answer. */
    val asks = MutableStateFlow(false)
    var answer: CompletableDeferred<Unit>? = null

    override suspend fun allows(permission: Permission): Boolean {
        asks.value = answer != null
        answer?.await()
        return permission !in forbidden
    }

    override fun openPermissions() = forbidden.let { forbidden = emptySet() }

    override suspend fun pick(what: Pick) = picked

    /** Two seconds of a tone at once. */
    override fun record(into: (ByteBuffer) -> Int): AutoCloseable {
        val block = ByteBuffer.allocateDirect(9_600).order(ByteOrder.nativeOrder())
        repeat(20) { turn ->
            for (i in 0 until 4_800) block.putShort(2 * i, (9_000 * sin((turn * 4_800 + i) * .05)).toInt().toShort())
            into(block)
        }
        return AutoCloseable { }
    }

    override fun open(path: String, mime: String) {
        opened += path
    }

    override fun share(text: String) {
        shared += text
    }

    /** Whether the camera is open, and whether the screen is seen. */
    val camera = MutableStateFlow(false)
    val screen = MutableStateFlow(false)

    override fun setCamera(on: Boolean, lines: Int) {
        camera.value = on
    }

    override suspend fun shareScreen(): Boolean {
        screen.value = mayShare
        answer?.await()
        return mayShare
    }

    override fun stopScreen() {
        screen.value = false
    }

    override val screenEnds = MutableSharedFlow<Unit>()
    var mayShare = true

    override fun exportFolder() = File(folder, "export").path
}

class FixedVault : KeyVault {
    override fun loadOrCreate() = ByteArray(32) { 7 }

    override fun forgetKey() = Unit
}

/** An app on a desk, at the server of this run. */
class Person(val name: String, val desk: Desk, val sample: Sample, private val scope: CoroutineScope) {
    val home: Home get() = sample.home!!

    suspend fun close() {
        scope.cancel()
        sample.client().close()
    }

    companion object {
        val server: TestServer by lazy { TestServer.start() }
        private val count = AtomicInteger()

        fun options(folder: File? = null, url: String = server.url()) =
            ClientOptions(url, folder?.let { File(it, "me.db").path }, folder?.let { File(it, "received").path }, bind = listOf("127.0.0.1"))

        suspend fun started(folder: File? = null, desk: Desk = Desk(folder)): Person {
            val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
            val person = Person("sample${count.incrementAndGet()}", desk, Sample(scope, desk) { Client.open(options(folder, desk.server), FixedVault()) }, scope)
            person.sample.start()
            return person
        }

        suspend fun registered(folder: File? = null): Person {
            val person = started(folder)
            person.sample.state.until { it is Stage.Welcome }
            person.sample.client().online.until { it }
            person.sample.type(Form(person.name, "${person.name}@example.org", "secret of ${person.name}"))
            person.sample.signIn()
            person.sample.state.until { it is Stage.Home }
            return person
        }

        /** Two who are friends, each with the other's name. */
        suspend fun friends(folder: File? = null): Pair<Person, Person> {
            val (anna, ben) = listOf("anna", "ben").map { registered(folder?.let { all -> File(all, it).apply { mkdirs() } }) }
            anna.home.friends.add(ben.name)
            val asked = ben.home.friends.state.until { it.requests.isNotEmpty() }.requests.single()
            ben.home.friends.accept(asked.user)
            for (one in listOf(anna, ben)) one.home.friends.state.until { all -> all.rows.any { it.friend.standing == Standing.FRIEND && it.friend.online } }
            return anna to ben
        }
    }
}

val Person.friend: UserId get() = home.friends.state.value.rows.single().friend.user

suspend fun <T> Flow<T>.until(holds: suspend (T) -> Boolean): T = withTimeout(60.seconds) { first { holds(it) } }

fun check(body: suspend CoroutineScope.() -> Unit): Unit = runBlocking { withTimeout(180.seconds) { body() } }
