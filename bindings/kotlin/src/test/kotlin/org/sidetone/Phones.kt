package org.sidetone

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.onSubscription
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.sidetone.testkit.TestServer
import java.io.File
import java.util.concurrent.atomic.AtomicInteger
import org.junit.jupiter.api.Assertions.fail
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/** A key as the Keystore would give it. */
class FixedVault(private val key: ByteArray = ByteArray(32) { 7 }) : KeyVault {
    var forgotten: Boolean = false
        private set

    override fun loadOrCreate(): ByteArray = key

    override fun forgetKey() {
        forgotten = true
    }
}

/** The server of this run, and phones on loopback. */
object Phones {
    private val server: TestServer by lazy { TestServer.start() }
    private val count = AtomicInteger()

    val url: String get() = server.url()

    fun options(server: String = url, store: String? = null) =
        ClientOptions(server = server, store = store, bind = listOf("127.0.0.1"))

    /** A phone that is online and has no account. */
    suspend fun bare(server: String = url, store: String? = null): Client {
        val phone = Client.open(options(server, store), FixedVault())
        phone.online.until { it }
        return phone
    }

    /** A name that nobody has. */
    fun name(): String = "kotlin${count.incrementAndGet()}"

    /** A phone with an account. */
    suspend fun registered(server: String = url, store: String? = null): Client {
        val (phone, name) = bare(server, store) to name()
        phone.register(name, "$name@example.org", "password of $name")
        phone.account.until { it != null }
        return phone
    }

    /** Two friends. */
    suspend fun friends(server: String = url, folder: File? = null): Duo {
        fun store(name: String) = folder?.let { File(it, name).path }
        val (anna, ben) = registered(server, store("anna.db")) to registered(server, store("ben.db"))
        val bens = anna.befriend(ben.name())
        val annas = ben.friends.until { all -> all.any { it.standing == Standing.ASKED_US } }.first().user
        ben.accept(annas)
        for (phone in listOf(anna, ben)) phone.friends.until { all -> all.any { it.standing == Standing.FRIEND && it.online } }
        return Duo(anna, ben, annas, bens)
    }
}

class Duo(val anna: Client, val ben: Client, val annaId: UserId, val benId: UserId) {
    /** Anna calls, Ben answers, both can speak: her end and his. */
    suspend fun talk(): Pair<Call, Call> {
        val hers = anna.call(benId)
        val his = rings(hers)
        his.answer()
        check(hers.connected() && his.connected())
        return hers to his
    }

    /** Her call as it rings at Ben's: it has one name on both phones. */
    suspend fun rings(hers: Call): Call =
        ben.of(ben.calls.until { all -> all.any { it.call == hers.id && it.state is CallState.Ringing } }.first { it.call == hers.id })

    /** Whatever call is on is over, for both. */
    suspend fun hangUp() {
        for (phone in listOf(anna, ben)) phone.calls.value.forEach { runCatching { phone.of(it).hangUp() } }
        quiet()
    }

    suspend fun quiet() {
        for (phone in listOf(anna, ben)) phone.calls.until { it.isEmpty() }
    }

    suspend fun close() {
        anna.close()
        ben.close()
    }
}

suspend fun Client.name(): String = account.until { it != null }!!.name

suspend fun <T> Flow<T>.until(holds: suspend (T) -> Boolean): T = withTimeout(30.seconds) { first { holds(it) } }

/** Waits until something holds that is read anew whenever the client tells of anything. */
suspend fun Client.until(holds: suspend () -> Boolean) {
    events.onSubscription { emit(Event.Refresh) }.until { holds() }
}

fun check(most: Duration = 90.seconds, body: suspend CoroutineScope.() -> Unit): Unit = runBlocking { withTimeout(most) { body() } }

/** The code with which something fails. */
suspend fun failure(body: suspend () -> Unit): ErrorCode = failing(body).code

suspend fun failing(body: suspend () -> Unit): SidetoneException {
    try {
        body()
    } catch (error: SidetoneException) {
        return error
    }
    return fail("it did not fail")
}
