package org.sidetone

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

    /** Loudness of every 20 ms. */
    fun envelope(): DoubleArray = DoubleArray(samples.size / 960) { frame ->
        sqrt((0 until 960).sumOf { val s = samples[960 * frame + it].toDouble(); s * s } / 960)
    }
}

/** A sound card: speaks a recording over and over into a phone and records what the phone plays, in 10 ms blocks. */
class Card(private val sound: Sound, private val voice: Recording) : AutoCloseable {
    private val heard = ArrayList<Short>()
    private var error: Int? = null

    @Volatile private var stopped = false
    private val thread = thread { run() }

    private fun run() {
        val block = ByteBuffer.allocateDirect(960).order(ByteOrder.nativeOrder())
        var next = System.nanoTime()
        var at = 0
        while (!stopped) {
            for (i in 0 until 480) block.putShort(2 * i, voice.samples[(at + i) % voice.samples.size])
            at += 480
            val (pushed, pulled) = sound.push(block) to sound.pull(block)
            if (pushed < 0 || pulled < 0) error = minOf(pushed, pulled)
            synchronized(heard) { for (i in 0 until 480) heard.add(block.getShort(2 * i)) }
            next += 10_000_000
            LockSupport.parkNanos(next - System.nanoTime())
        }
    }

    /** The last four seconds. */
    fun heard(): Recording = Recording(synchronized(heard) { heard.takeLast(192_000).toShortArray() })

    override fun close() {
        stopped = true
        thread.join()
        check(error == null || error == Sound.CLOSED) { "the port said $error" }
    }
}

/** How alike the last four seconds of a recording are to any four of a voice that speaks over and over: 1 is the same. */
fun alike(voice: Recording, heard: Recording): Double {
    val curve = heard.envelope()
    if (curve.size < 200) return 0.0
    val (tail, said) = curve.copyOfRange(curve.size - 200, curve.size) to voice.envelope().let { it + it }
    return (0 until said.size / 2).maxOf { shift -> correlation(said.copyOfRange(shift, shift + 200), tail) }
}

private fun correlation(one: DoubleArray, other: DoubleArray): Double {
    val (a, b) = one.average() to other.average()
    val both = one.indices.sumOf { (one[it] - a) * (other[it] - b) }
    return both / sqrt(one.sumOf { (it - a) * (it - a) } * other.sumOf { (it - b) * (it - b) } + 1e-9)
}
