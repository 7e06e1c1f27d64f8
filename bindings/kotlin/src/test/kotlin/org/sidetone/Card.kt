package org.sidetone

import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.first
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.concurrent.locks.LockSupport
import kotlin.concurrent.thread
import kotlin.math.sqrt

/** A recording: mono, 48 kHz, 16 bit. */
class Recording(val samples: ShortArray) {
    companion object {
        fun voice(name: String): Recording {
            val bytes = File(System.getProperty("sidetone.voices"), "$name.wav").readBytes()
            val sound = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)
            var at = 12
            while (String(bytes, at, 4) != "data") at += 8 + sound.getInt(at + 4)
            return Recording(ShortArray(sound.getInt(at + 4) / 2) { sound.getShort(at + 8 + 2 * it) })
        }
    }

    /** The same at 2 kHz: quick to compare, and speech is in it. */
    val thin: FloatArray by lazy { thin(samples) }
}

/** Samples per thin one. */
private const val COARSE = 24

/** Half a second of thin samples: like nothing else in a recording. */
private const val PIECE = 1_000

/** A piece softer than this holds no speech. */
private const val SOFT = 150.0

/** From this correlation on a piece is found. */
private const val FOUND = 0.7

private fun thin(samples: ShortArray) = FloatArray(samples.size / COARSE) { at ->
    var sum = 0
    for (i in 0 until COARSE) sum += samples[COARSE * at + i]
    sum.toFloat() / COARSE
}

/** A sound card: speaks a recording over and over into a phone and records what the phone plays, in 10 ms blocks. */
class Card(private val sound: Sound, private val voice: Recording) : AutoCloseable {
    private val heard = ArrayList<Short>()
    private val began = System.nanoTime()
    private var error: Int? = null

    @Volatile private var stopped = false
    private val blocks = MutableStateFlow(0)
    private val thread = thread { run() }

    private fun run() {
        val block = ByteBuffer.allocateDirect(960).order(ByteOrder.nativeOrder())
        var next = began
        var at = 0
        while (!stopped) {
            for (i in 0 until 480) block.putShort(2 * i, voice.samples[(at + i) % voice.samples.size])
            at += 480
            val (pushed, pulled) = sound.push(block) to sound.pull(block)
            if (pushed < 0 || pulled < 0) error = minOf(pushed, pulled)
            synchronized(heard) { for (i in 0 until 480) heard.add(block.getShort(2 * i)) }
            blocks.value++
            next += 10_000_000
            LockSupport.parkNanos(next - System.nanoTime())
        }
    }

    /** Looks again with every fifth of a second that was played, until it holds. */
    suspend fun until(holds: suspend () -> Boolean) {
        var next = 0
        blocks.first { at -> (at >= next).also { if (it) next = at + 20 } && holds() }
    }

    /** Returns once so much more was played. */
    suspend fun plays(ms: Int) {
        val enough = blocks.value + ms / 10
        blocks.first { it >= enough }
    }

    /** Returns once it heard enough of what another card says. */
    suspend fun listen(other: Card): Unit = until { hears(other) >= 0.75 }

    /** How loud the last half second is. */
    fun loudness(): Double {
        val tail = synchronized(heard) { heard.takeLast(24_000) }
        return sqrt(tail.sumOf { it.toDouble() * it } / tail.size.coerceAtLeast(1))
    }

    /**
     * How much of the last four seconds is what another card says: the part of its half seconds with sound whose waveform is
     * found in what that card said up to a second and a half before. A jitter buffer that stretches, and a machine that is
     * busy, spoil pieces and leave the others. `voice` is what it would have said, for comparison.
     */
    fun hears(other: Card, voice: Recording = other.voice): Double {
        val (first, tail) = synchronized(heard) { (heard.size - 192_000).coerceAtLeast(0) to heard.takeLast(192_000).toShortArray() }
        val (thin, said) = thin(tail) to voice.thin.let { it + it }
        val ahead = first + (began - other.began) * 48_000 / 1_000_000_000
        val spoken = (0..thin.size - PIECE step PIECE).filter { from -> power(thin, from) > SOFT * SOFT * PIECE }
        val found = spoken.count { from -> best(thin, from, said, (ahead / COARSE).toInt() + from) >= FOUND }
        return if (spoken.size < 4) 0.0 else found.toDouble() / spoken.size
    }

    private fun best(thin: FloatArray, from: Int, said: FloatArray, expected: Int): Double =
        (-1_000..3_000).maxOf { lag -> correlation(thin, from, said, Math.floorMod(expected - lag, said.size / 2)) }

    override fun close() {
        stopped = true
        thread.join()
        check(error == null || error == Sound.CLOSED) { "the port said $error" }
    }
}

private fun power(one: FloatArray, from: Int): Double {
    var sum = 0.0
    for (i in from until from + PIECE) sum += one[i] * one[i]
    return sum
}

private fun correlation(one: FloatArray, from: Int, other: FloatArray, at: Int): Double {
    var both = 0f
    var (first, second) = 1e-9f to 1e-9f
    for (i in 0 until PIECE) {
        both += one[from + i] * other[at + i]
        first += one[from + i] * one[from + i]
        second += other[at + i] * other[at + i]
    }
    return both / sqrt(first.toDouble() * second)
}
