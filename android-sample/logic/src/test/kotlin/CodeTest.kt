package org.sidetone.sample.logic

import com.google.zxing.PlanarYUVLuminanceSource
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test

class CodeTest {
    @Test
    fun `bytes of every value go through a code and a camera`() {
        val bytes = ByteArray(256) { it.toByte() }
        val (code, side) = encode(bytes).let { it to it.width * 4 + 64 }
        val picture = ByteArray(side * side) { at ->
            val (x, y) = (at % side - 32) / 4 to (at / side - 32) / 4
            if (at % side >= 32 && at / side >= 32 && x < code.width && y < code.height && code[x, y]) 20 else -20
        }
        assertArrayEquals(bytes, decode(PlanarYUVLuminanceSource(picture, side, side, 0, 0, side, side, false)))
        assertNull(decode(PlanarYUVLuminanceSource(ByteArray(side * side), side, side, 0, 0, side, side, false)))
    }
}
