package org.sidetone

import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.condition.EnabledIfSystemProperty
import org.sidetone.testkit.UniffiSound
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

    @Test
    fun `what it costs`() = runBlocking {
        val duo = Phones.friends()
        val (hers, _) = duo.talk()
        val frame = ByteBuffer.allocateDirect(1_920)
        val (bytes, uniffi) = ByteArray(1_920) to UniffiSound()
        val port = cost(20_000) { duo.anna.sound.push(frame); duo.anna.sound.pull(frame) }
        val objects = cost(2_000) { uniffi.push(bytes); uniffi.pull() }
        val call = cost(20_000) { noop() }
        val await = cost(500) { duo.anna.core().calls() }
        println("kotlin: a 20 ms frame each way %.2f us by the media port, %.2f us by UniFFI: %.0f times".format(port, objects, objects / port))
        println("kotlin: an empty call %.2f us, an awaited one (also a batch of events) %.1f us".format(call, await))
        hers.hangUp()
        duo.close()
        assertTrue(port * 10 <= objects, "the media port costs more than a tenth of UniFFI")
    }
}
