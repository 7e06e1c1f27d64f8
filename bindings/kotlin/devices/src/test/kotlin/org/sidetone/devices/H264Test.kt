package org.sidetone.devices

import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test
import java.nio.ByteBuffer

class H264Test {
    private fun frame(vararg bytes: Int): ByteBuffer = ByteBuffer.allocateDirect(bytes.size).apply {
        bytes.forEach { put(it.toByte()) }
        flip()
    }

    private fun bytes(buffer: ByteBuffer) = ByteArray(buffer.remaining()).also { buffer.duplicate().get(it) }.map { it.toInt() and 0xFF }

    private val sets = frame(0, 0, 0, 1, 0x67, 0x42, 0x1E, 0, 0, 0, 1, 0x68, 0xCE)
    private val picture = frame(0, 0, 1, 0x65, 9, 0, 9)

    @Test
    fun `a key frame carries what a decoder must be told before it begins`() {
        assertNull(H264.parameterSets(picture))
        val whole = H264.whole(sets, picture)
        assertEquals(bytes(sets) + bytes(picture), bytes(whole))
        val (sequence, other) = H264.parameterSets(whole)!!
        assertEquals(listOf(0, 0, 0, 1, 0x67, 0x42, 0x1E) to listOf(0, 0, 0, 1, 0x68, 0xCE), bytes(sequence) to bytes(other))
        assertTrue(whole.isDirect, "the media port takes no other")
    }

    @Test
    fun `what has its parameter sets already is not given them twice`() {
        val whole = H264.whole(sets, picture)
        assertSame(whole, H264.whole(sets, whole))
        assertSame(picture, H264.whole(null, picture))
    }

    @Test
    fun `what a friend sends in a picture's place has no parameter sets and harms nothing`() {
        for (odd in listOf(frame(), frame(0, 0, 1), frame(0, 0, 0), frame(0, 0, 1, 0, 0, 1, 0, 0, 1), frame(7, 8, 7, 8))) assertNull(H264.parameterSets(odd))
        assertNull(H264.parameterSets(ByteBuffer.wrap(ByteArray(100_000))))
    }
}
