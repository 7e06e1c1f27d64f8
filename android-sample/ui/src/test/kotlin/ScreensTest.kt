package org.sidetone.sample.ui

import androidx.compose.ui.geometry.Size
import androidx.compose.ui.graphics.asSkiaBitmap
import androidx.compose.ui.semantics.*
import androidx.compose.ui.test.*
import androidx.compose.ui.text.TextLayoutResult
import androidx.compose.ui.unit.Density
import org.jetbrains.skia.Bitmap
import org.jetbrains.skia.EncodedImageFormat
import org.jetbrains.skia.Image
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.TestFactory
import java.io.File
import java.nio.ByteBuffer
import java.util.Locale
import java.util.TimeZone

/** A phone of 390 by 844 points, drawn at one and a half. */
private const val SCALE = 1.5f

private val phone = Size(390 * SCALE, 844 * SCALE)

private val folder = File(System.getProperty("sample.out"), "screens").apply { mkdirs() }

@OptIn(ExperimentalTestApi::class)
class ScreensTest {
    init {
        Locale.setDefault(Locale.UK)
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"))
    }

    @TestFactory
    fun `every screen in every look is drawn, named for screen readers, large enough to touch and nowhere cut off`(): List<DynamicTest> =
        gallery.flatMap { shot -> Look.entries.map { look -> DynamicTest.dynamicTest("${shot.name} ${look.name.lowercase()}") { check(shot, look) } } }

    private fun check(shot: Shot, look: Look) = runSkikoComposeUiTest(phone, Density(SCALE)) {
        setContent { look.show(shot) }
        waitForIdle()
        save("${shot.name}-${look.name.lowercase()}", onRoot().captureToImage().asSkiaBitmap().let(Image::makeFromBitmap))
        val faults = nodes(onRoot(useUnmergedTree = false).fetchSemanticsNode()).flatMap(::faults) +
            nodes(onRoot(useUnmergedTree = true).fetchSemanticsNode()).flatMap(::cut)
        assertEquals(emptyList<String>(), faults.distinct())
    }

    private fun save(name: String, image: Image) {
        File(folder, "$name.png").writeBytes(image.encodeToData(EncodedImageFormat.PNG)!!.bytes)
        val pixels = ByteBuffer.wrap(Bitmap.makeFromImage(image).readPixels()!!).asIntBuffer()
        val seen = (0 until pixels.limit() step 13).mapTo(HashSet(), pixels::get)
        assertTrue(seen.size > 12, "$name is blank: ${seen.size} colours")
    }

    private fun nodes(node: SemanticsNode): List<SemanticsNode> = listOf(node) + node.children.flatMap(::nodes)

    /** What can be touched has a name and is large enough for a finger. */
    private fun faults(node: SemanticsNode): List<String> {
        if (SemanticsActions.OnClick !in node.config) return emptyList()
        val name = words(node)
        val (wide, tall) = node.size.width / SCALE to node.size.height / SCALE
        return listOfNotNull(
            "nameless at ${node.boundsInRoot}".takeIf { name.isBlank() },
            "$name is small: $wide x $tall".takeIf { wide < 47.9f || tall < 47.9f },
        )
    }

    private fun words(node: SemanticsNode): String {
        val own = node.config.getOrNull(SemanticsProperties.ContentDescription).orEmpty() + node.config.getOrNull(SemanticsProperties.Text).orEmpty().map { it.text }
        return own.joinToString(" ").ifBlank { node.children.joinToString(" ") { words(it) } }
    }

    /** No word of the app ends early; only what people wrote may, in dots. */
    private fun cut(node: SemanticsNode): List<String> {
        val action = node.config.getOrNull(SemanticsActions.GetTextLayoutResult)?.action ?: return emptyList()
        val layouts = ArrayList<TextLayoutResult>().also { action(it) }
        val bounds = node.boundsInRoot
        return layouts.flatMap { layout ->
            val text = layout.layoutInput.text.text
            val dots = layout.lineCount > 0 && layout.isLineEllipsized(layout.lineCount - 1)
            val free = layout.layoutInput.maxLines == Int.MAX_VALUE
            val narrow = (0 until layout.lineCount).any { layout.getLineRight(it) - layout.getLineLeft(it) > layout.size.width + 1 }
            listOfNotNull(
                "'$text' is cut".takeIf { free && (layout.didOverflowHeight || narrow || dots) },
                "'$text' leaves the screen: $bounds".takeIf { bounds.left < -1 || bounds.right > phone.width + 1 },
            )
        }
    }
}
