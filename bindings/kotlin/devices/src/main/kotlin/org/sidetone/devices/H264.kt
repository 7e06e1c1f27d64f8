package org.sidetone.devices

import java.nio.ByteBuffer

/** NAL units as calls carry them: each behind a start code (Annex B of H.264). */
public object H264 {
    private const val SEQUENCE = 7
    private const val PICTURE = 8

    /** The parameter sets in a key frame: what a decoder is told before it begins, sequence and picture; null without both. */
    public fun parameterSets(frame: ByteBuffer): Pair<ByteBuffer, ByteBuffer>? {
        val units = units(frame)
        val (sequence, picture) = listOf(SEQUENCE, PICTURE).map { kind -> units.find { it.remaining() > 4 && it.get(4).toInt() and 0x1F == kind } }
        return (sequence ?: return null) to (picture ?: return null)
    }

    /** A key frame with the parameter sets that the encoder gave before it; a frame that has them stays as it is. */
    public fun whole(sets: ByteBuffer?, frame: ByteBuffer): ByteBuffer {
        if (sets == null || parameterSets(frame) != null) return frame
        val both = ByteBuffer.allocateDirect(sets.remaining() + frame.remaining())
        both.put(sets.duplicate()).put(frame.duplicate()).flip()
        return both
    }

    /** Each unit with a start code of four bytes before it. */
    private fun units(frame: ByteBuffer): List<ByteBuffer> {
        val begins = ArrayList<Int>()
        var at = frame.position()
        while (at + 3 < frame.limit()) {
            if (frame.get(at) == 0.toByte() && frame.get(at + 1) == 0.toByte() && frame.get(at + 2) == 1.toByte()) {
                begins += at + 3
                at += 3
            } else {
                at++
            }
        }
        return begins.mapIndexed { place, begin ->
            // What is before the next start code, without the zeros that belong to it.
            var end = begins.getOrNull(place + 1)?.minus(3) ?: frame.limit()
            while (end > begin + 1 && frame.get(end - 1) == 0.toByte()) end--
            val unit = ByteBuffer.allocate(4 + end - begin).putInt(1)
            for (byte in begin until end) unit.put(frame.get(byte))
            unit.apply { flip() }
        }
    }
}
