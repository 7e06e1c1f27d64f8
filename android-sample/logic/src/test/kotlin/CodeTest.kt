package org.sidetone.sample.logic

import com.google.zxing.PlanarYUVLuminanceSource
import com.google.zxing.common.BitMatrix
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test
import kotlin.random.Random

/** What a camera reads of a code, four points wide each, in a white frame; nothing of one that is blank. */
fun decoded(code: BitMatrix, blank: Boolean = false): String? {
    val side = code.width * 4 + 64
    val picture = ByteArray(side * side) { at ->
        val (x, y) = (at % side - 32) / 4 to (at / side - 32) / 4
        if (!blank && at % side >= 32 && at / side >= 32 && x < code.width && y < code.height && code[x, y]) 20 else -20
    }
    return decode(PlanarYUVLuminanceSource(picture, side, side, 0, 0, side, side, false))
}

class CodeTest {
    @Test
    fun `a text of any language goes through a code and a camera`() {
        for (text in listOf("sidetone:friend/ay%C5%9Fe#" + "0f".repeat(32), "محمد")) assertEquals(text, decoded(encode(text)))
        assertNull(decoded(encode("محمد"), blank = true))
    }

    @Test
    fun `whatever keys a safety code holds, it is read`() {
        val chance = Random(1)
        repeat(400) { chance.nextBytes(66).toHexString().let { code -> assertEquals(code, decoded(encode(code))) } }
    }
}
