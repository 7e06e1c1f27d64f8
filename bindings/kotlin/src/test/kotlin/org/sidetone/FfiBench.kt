package org.sidetone

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.condition.EnabledIfSystemProperty
import org.sidetone.testkit.BenchEvent
import org.sidetone.testkit.BenchListener
import org.sidetone.testkit.TestServer
import org.sidetone.testkit.UniffiSound
import org.sidetone.testkit.benchBatch
import org.sidetone.testkit.benchTell
import org.sidetone.testkit.noop
import java.nio.ByteBuffer

/** `make bench-ffi`: what the way between Kotlin and the library costs. */
@EnabledIfSystemProperty(named = "sidetone.bench", matches = "true")
class FfiBench {
    /** Microseconds each, the best of ten runs. */
    private inline fun cost(count: Int, body: () -> Unit): Double = (0 until 10).minOf {
        val began = System.nanoTime()
        repeat(count) { body() }
        (System.nanoTime() - began) / 1_000.0 / count
    }

    private fun tell(what: String, chosen: Double, how: String, vararg others: kotlin.Pair<Double, String>) {
        val rest = others.joinToString("") { (cost, name) -> ", %.2f us %s (%.1f times)".format(cost, name, cost / chosen) }
        println("kotlin: $what %.2f us $how$rest".format(chosen))
    }

    /** The longest of 20 times, in milliseconds, from cancelling a coroutine until somebody else sees its operation cancelled. */
    private suspend fun cancelling(): Double = coroutineScope {
        val server = TestServer.start()
        val phones = List(20) { Phones.bare(server.url()) }
        server.freeze()
        val longest = phones.maxOf { phone ->
            val login = phone.core().signIn("somebody", "a long password")
            val seen = async(Dispatchers.Default, CoroutineStart.UNDISPATCHED) { failure { login.outcome() } to System.nanoTime() }
            val waiting = launch(start = CoroutineStart.UNDISPATCHED) { login.await() }
            val began = System.nanoTime()
            waiting.cancel()
            val (code, at) = seen.await()
            check(code == ErrorCode.CANCELLED) { "$code" }
            (at - began) / 1e6
        }
        server.thaw()
        phones.forEach { it.close() }
        server.destroy()
        longest
    }

    @Test
    fun `what it costs`() = runBlocking {
        val duo = Phones.friends()
        val (hers, _) = duo.talk()
        val (frame, nothing) = ByteBuffer.allocateDirect(1_920) to ByteBuffer.allocateDirect(0)
        val (bytes, uniffi, none) = Triple(ByteArray(1_920), UniffiSound(), Sound(0u))
        val raw = cost(20_000) { none.push(nothing) }
        val port = cost(20_000) { duo.anna.sound.push(frame); duo.anna.sound.pull(frame) }
        val objects = cost(2_000) { uniffi.push(bytes); uniffi.pull() }
        tell("a 20 ms frame each way", port, "by the media port", objects to "through UniFFI objects", raw to "a C call that does nothing")
        val call = cost(20_000) { noop() }
        val await = cost(1_000) { duo.anna.core().calls() }
        tell("a call", raw, "raw C", call to "through UniFFI", await to "awaited, with an answer of one record")
        val batch = cost(500) { benchBatch(64u) } / 64
        val alone = cost(1_000) { benchBatch(1u) }
        val listener = object : BenchListener {
            override fun told(event: BenchEvent) = Unit
        }
        val called = cost(20) { benchTell(listener, 64u) } / 64
        tell("an event", batch, "in a batch of 64", alone to "pulled alone", called to "by callback from a thread of the library's")
        val film = List(2) { Film.bytes(it, 10_000) }
        hers.setCamera(true)
        duo.anna.video.bitrates.until { it.isNotEmpty() }
        var number = 0
        val picture = cost(500) { number++.let { duo.anna.video.push(Film.info(VideoSource.CAMERA, it, true), film[it % 2]) } }
        val large = ByteArray(10_000)
        val pictures = cost(500) { uniffi.push(large) }
        tell("a picture of 10 kB", picture, "handed in and sealed", pictures to "through UniFFI objects, not even sealed")
        hers.hangUp()
        duo.close()
        val cancelling = cancelling()
        println("kotlin: a cancelled coroutine reaches its operation after %.2f ms at most, of 20".format(cancelling))
        assertTrue(cancelling < 100, "a cancelled coroutine reaches its operation too late")
        assertTrue(port * 10 <= objects, "the media port costs more than a tenth of UniFFI")
    }
}
