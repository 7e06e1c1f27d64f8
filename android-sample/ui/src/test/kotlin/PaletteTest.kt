package org.sidetone.sample.ui

import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.luminance
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class PaletteTest {
    /** WCAG 2.2, 1.4.3. */
    private fun contrast(one: Color, other: Color): Float {
        val (light, dark) = maxOf(one.luminance(), other.luminance()) to minOf(one.luminance(), other.luminance())
        return (light + .05f) / (dark + .05f)
    }

    private fun check(name: String, text: Color, ground: Color, least: Float) =
        assertTrue(contrast(text, ground) >= least, "$name: ${contrast(text, ground)}")

    @Test
    fun `black on white is measured as the standard says`() = assertEquals(21f, contrast(Color.Black, Color.White), .01f)

    @Test
    fun `every text can be read and every sign be seen in both themes`() {
        for (p in listOf(Light, Dark)) {
            val grounds = mapOf("paper" to p.paper, "card" to p.card, "well" to p.well)
            for ((name, ground) in grounds) {
                check("ink on $name, dark ${p.dark}", p.ink, ground, 4.5f)
                check("faint on $name, dark ${p.dark}", p.faint, ground, 4.5f)
                check("pine on $name, dark ${p.dark}", p.pine.ground, ground, 4.5f)
                check("danger on $name, dark ${p.dark}", p.danger.ground, ground, 4.5f)
                check("good on $name, dark ${p.dark}", p.good, ground, 3f)
            }
            check("ember on paper, dark ${p.dark}", p.ember.ground, p.paper, 4.5f)
            for ((place, ink) in (listOf(p.pine, p.tint, p.ember, p.glow, p.danger) + p.faces).withIndex()) check("ink $place, dark ${p.dark}", ink.on, ink.ground, 4.5f)
            check("danger on tint, dark ${p.dark}", p.danger.ground, p.tint.ground, 3f)
        }
    }
}
