package org.sidetone.sample.ui

import androidx.compose.foundation.background
import androidx.compose.foundation.Image as Painted
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.runtime.Composable
import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.runtime.remember
import androidx.compose.ui.layout.ContentScale
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.asComposeImageBitmap
import androidx.compose.ui.graphics.toComposeImageBitmap
import androidx.compose.ui.platform.LocalDensity
import androidx.compose.ui.platform.LocalLayoutDirection
import androidx.compose.ui.res.LocalLanguage
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.platform.SystemFont
import androidx.compose.ui.unit.Density
import androidx.compose.ui.unit.LayoutDirection
import org.jetbrains.skia.Canvas
import org.jetbrains.skia.EncodedImageFormat
import org.jetbrains.skia.GradientStyle
import org.jetbrains.skia.Image
import org.jetbrains.skia.Paint
import org.jetbrains.skia.Rect
import org.jetbrains.skia.Shader
import org.jetbrains.skia.Surface
import org.sidetone.Theme
import org.sidetone.VideoSource
import org.sidetone.sample.R
import org.sidetone.sample.logic.CallScreenState
import org.sidetone.sample.logic.Tab

/** How a screen is looked at. */
enum class Look(val theme: Theme = Theme.LIGHT, val language: String = "en", val letters: Float = 1f, val direction: LayoutDirection = LayoutDirection.Ltr) {
    LIGHT, DARK(theme = Theme.DARK), TURKISH(language = "tr"), LARGE(letters = 1.6f), RTL(direction = LayoutDirection.Rtl)
}

/** The letters of most phones. */
@OptIn(androidx.compose.ui.text.ExperimentalTextApi::class)
val phoneFont = FontFamily(listOf(FontWeight.Normal, FontWeight.Medium, FontWeight.Bold).map { SystemFont("Roboto", it) })

/** A screen as a phone shows it. */
@Composable
fun Look.show(shot: Shot) {
    val density = LocalDensity.current.density
    CompositionLocalProvider(
        LocalLanguage provides language, LocalDensity provides Density(density, letters), LocalLayoutDirection provides direction,
        LocalStage provides { source, modifier -> Painted(remember(source) { Image.makeFromEncoded(if (source == VideoSource.CAMERA) Sea.png else Page.png).toComposeImageBitmap() }, null, modifier, contentScale = if (source == VideoSource.CAMERA) ContentScale.Crop else ContentScale.Fit) },
        LocalMirror provides { modifier -> Painted(remember { Image.makeFromEncoded(Window.png).toComposeImageBitmap() }, null, modifier, contentScale = ContentScale.Crop) },
        LocalPictures provides { bytes -> runCatching { Image.makeFromEncoded(bytes).toComposeImageBitmap() }.getOrNull() },
    ) {
        SampleTheme(theme, phoneFont) { Box(Modifier.fillMaxSize().background(colors.paper)) { shot.screen() } }
    }
}

/** A page with the tabs under it, as [Root] lays them out. */
@Composable
fun Framed(tab: Tab, call: CallScreenState? = null, offline: Boolean = false, screen: @Composable () -> Unit) = Column(Modifier.fillMaxSize()) {
    call?.let { CallBar(it) {} }
    if (offline) Banner(stringResource(R.string.offline_text))
    Box(Modifier.weight(1f)) { screen() }
    Tabs(tab) {}
}

/** A picture made of bands, discs and blocks. */
private fun painted(draw: Canvas.() -> Unit): ByteArray =
    Surface.makeRasterN32Premul(480, 300).run {
        canvas.draw()
        makeImageSnapshot().encodeToData(EncodedImageFormat.PNG)!!.bytes
    }

private fun Canvas.band(top: Float, bottom: Float, from: Int, to: Int) = drawRect(
    Rect.makeLTRB(0f, top, 480f, bottom), Paint().apply { shader = Shader.makeLinearGradient(0f, top, 0f, bottom, intArrayOf(from, to), null, GradientStyle.DEFAULT) },
)

private fun Canvas.block(left: Float, top: Float, wide: Float, tall: Float, colour: Int) =
    drawRect(Rect.makeXYWH(left, top, wide, tall), Paint().apply { color = colour })

private const val WOOD = 0xFF3A4A48.toInt()

/** A photograph of the sea, near enough. */
object Sea {
    val png: ByteArray by lazy {
        painted {
            band(0f, 160f, 0xFFF2C9A1.toInt(), 0xFFF7E7D0.toInt())
            band(160f, 300f, 0xFF5E8F99.toInt(), 0xFF1F4650.toInt())
            drawCircle(350f, 128f, 26f, Paint().apply { color = 0xFFFFF3DC.toInt() })
            block(60f, 142f, 130f, 8f, WOOD)
            for (post in 0..4) block(66f + post * 28, 148f, 5f, 58f, WOOD)
        }
    }
}

/** Somebody before a window, near enough. */
object Window {
    val png: ByteArray by lazy {
        painted {
            band(0f, 300f, 0xFFDCE6EA.toInt(), 0xFFB9C7CC.toInt())
            block(150f, 30f, 180f, 130f, 0xFFF4F7F2.toInt())
            drawCircle(240f, 150f, 44f, Paint().apply { color = 0xFFC98F6B.toInt() })
            drawCircle(240f, 300f, 96f, Paint().apply { color = 0xFF2F5D57.toInt() })
        }
    }
}

/** A page on somebody's screen, near enough. */
object Page {
    val png: ByteArray by lazy {
        painted {
            block(0f, 0f, 480f, 300f, 0xFFFDFDFB.toInt())
            block(0f, 0f, 480f, 34f, 0xFF26343A.toInt())
            block(32f, 58f, 210f, 16f, 0xFF26343A.toInt())
            for (line in 0..8) block(32f, 96f + line * 20, if (line % 4 == 3) 180f else 400f - line % 3 * 26, 7f, 0xFFB4BCBE.toInt())
        }
    }
}
