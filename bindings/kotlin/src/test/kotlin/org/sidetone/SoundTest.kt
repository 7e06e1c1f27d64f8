package org.sidetone

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.nio.ByteBuffer
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.CountDownLatch
import kotlin.concurrent.thread

class SoundTest {
    private fun direct(bytes: Int, fill: Byte = 1): ByteBuffer =
        ByteBuffer.allocateDirect(bytes).also { buffer -> (0 until bytes).forEach { buffer.put(it, fill) } }

    private fun with(use: (Sound) -> Unit) = check {
        val phone = Phones.bare()
        use(phone.sound)
        phone.close()
    }

    @Test
    fun `without a call nothing is taken and silence is played`() = with { sound ->
        assertEquals(0, sound.push(direct(1_920)))
        val speaker = direct(1_920)
        assertEquals(0, sound.pull(speaker))
        assertTrue((0 until 1_920).all { speaker.get(it) == 0.toByte() })
    }

    @Test
    fun `half a sample is refused`() = with { sound ->
        assertEquals(Sound.LENGTH, sound.push(direct(1_921)))
        assertEquals(Sound.LENGTH, sound.pull(direct(1)))
    }

    @Test
    fun `more than a second is refused`() = with { sound ->
        assertEquals(Sound.LENGTH, sound.push(direct(96_002)))
        assertEquals(Sound.LENGTH, sound.pull(direct(10_000_000)))
        assertEquals(0, sound.push(direct(96_000)))
    }

    @Test
    fun `nothing at all is fine`() = with { sound ->
        assertEquals(0 to 0, sound.push(direct(0)) to sound.pull(direct(0)))
    }

    @Test
    fun `only what lies between position and limit is touched`() = with { sound ->
        val speaker = direct(100)
        speaker.position(10).limit(31)
        assertEquals(Sound.LENGTH, sound.pull(speaker))
        speaker.limit(30)
        assertEquals(0, sound.pull(speaker))
        assertEquals(10, speaker.position())
        assertTrue((0 until 30).all { speaker.get(it) == (if (it < 10) 1 else 0).toByte() })
        speaker.limit(100)
        assertTrue((30 until 100).all { speaker.get(it) == 1.toByte() })
    }

    @Test
    fun `a buffer of the virtual machine's own is refused before anything happens`() = with { sound ->
        assertThrows(IllegalArgumentException::class.java) { sound.push(ByteBuffer.allocate(1_920)) }
        assertThrows(IllegalArgumentException::class.java) { sound.pull(ByteBuffer.allocate(1_920)) }
    }

    @Test
    fun `a number that nobody has reaches nobody`() {
        for (number in listOf(0L, 1L, 255L, 256L, -1L, Long.MIN_VALUE, Long.MAX_VALUE)) {
            val sound = Sound(number.toULong())
            assertEquals(Sound.CLOSED to Sound.CLOSED, sound.push(direct(960)) to sound.pull(direct(960)))
        }
    }

    @Test
    fun `after the end the port says so and plays silence`() = check {
        val phone = Phones.bare()
        val sound = phone.sound
        phone.close()
        val other = Phones.bare()
        val speaker = direct(960)
        assertEquals(Sound.CLOSED to Sound.CLOSED, sound.push(direct(960)) to sound.pull(speaker))
        assertTrue((0 until 960).all { speaker.get(it) == 0.toByte() })
        assertEquals(0, other.sound.push(direct(960)))
        other.close()
    }

    @Test
    fun `many threads at once are told and harm nothing`() = check {
        val phone = Phones.bare()
        val answers = ConcurrentHashMap.newKeySet<Int>()
        val busy = CountDownLatch(8)
        val threads = List(8) {
            thread {
                val block = direct(960)
                repeat(20_000) {
                    answers += listOf(phone.sound.push(block), phone.sound.pull(block))
                    busy.countDown()
                }
            }
        }
        busy.await()
        phone.close()
        threads.forEach(Thread::join)
        assertTrue(answers.all { it in setOf(0, Sound.BUSY, Sound.CLOSED) }, "$answers")
    }
}
