package org.sidetone

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File
import java.lang.ref.PhantomReference
import java.lang.ref.ReferenceQueue
import kotlin.time.Duration.Companion.minutes

/** Returns once the collector went over everything, or gave up. */
fun collect() {
    val gone = ReferenceQueue<Any>()
    val watched = PhantomReference(Any(), gone)
    System.gc()
    gone.remove(1_000)
    watched.clear()
}

/** Whatever is opened is closed without a trace: some hundred times here, ten thousand times in `make lives`. */
class LeakTest {
    private val lives = Integer.getInteger("sidetone.lives", 300)

    /** What this process holds. */
    private data class Held(val objects: ULong, val threads: Int, val files: Int, val bytes: Long)

    private fun held(): Held {
        collect()
        fun count(what: String) = File("/proc/self/$what").list()!!.size
        val pages = File("/proc/self/statm").readText().split(" ")[1].toLong()
        return Held(liveObjects(), count("task"), count("fd"), pages * 4_096)
    }

    /** A client with one of everything that it gives out. */
    private class Life(private val phone: Client) {
        private val core = phone.core()
        private val note = VoiceNote()
        private val operation = core.signOut()
        private val watching = listOf<AutoCloseable>(core.frames(), core.roomFrames(RoomId("00".repeat(16))), core.search(null, "words"))

        suspend fun end() {
            runCatching { operation.await() }
            watching.forEach { it.close() }
            note.close()
            phone.close()
        }
    }

    private suspend fun life() = Life(Client.open(Phones.options("ws://127.0.0.1:1"), FixedVault()))

    /** Whether nothing grew: the collector and what it frees may be one thread or file behind. */
    private fun Held.like(before: Held) =
        objects == before.objects && threads <= before.threads + 2 && files <= before.files + 2 && bytes - before.bytes < before.bytes / 20

    @Test
    fun `whatever is opened is closed without a trace`() = check(30.minutes) {
        repeat(100) { life().end() }
        val before = held()
        repeat(lives) { life().end() }
        val after = held()
        println("kotlin: $lives lives: $before became $after")
        assertTrue(after.like(before), "$before became $after")
        // What is not closed shows in each of these numbers.
        val open = List(12) { life() }
        val seen = held()
        assertEquals(before.objects + 12u * 6u, seen.objects)
        assertTrue(seen.threads > before.threads + 12 && seen.files > before.files + 12, "$seen")
        open.forEach { it.end() }
        assertTrue(held().like(before), "${held()} after $before")
    }

    @Test
    fun `memory that is kept shows`() {
        val before = held()
        val kept = com.sun.jna.Memory(before.bytes / 10).apply { setMemory(0, size(), 1) }
        assertTrue(!held().like(before), "the look at memory sees nothing")
        kept.close()
    }
}
