package org.sidetone.sample.ui

import androidx.compose.foundation.isSystemInDarkTheme
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.material3.darkColorScheme
import androidx.compose.material3.lightColorScheme
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Shapes
import androidx.compose.material3.Typography
import androidx.compose.runtime.*
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.TextStyle
import androidx.compose.ui.unit.dp
import androidx.compose.ui.unit.sp
import org.sidetone.Theme

/** A colour and what is written on it. */
@Immutable
data class Ink(val ground: Color, val on: Color)

/** Every colour there is. PaletteTest keeps text at 4.5:1 and signs at 3:1 or better. */
@Immutable
data class Palette(
    val dark: Boolean,
    val paper: Color,
    val card: Color,
    val well: Color,
    val line: Color,
    val ink: Color,
    val faint: Color,
    val pine: Ink,
    val tint: Ink,
    val ember: Ink,
    val glow: Ink,
    val danger: Ink,
    val good: Color,
    val faces: List<Ink>,
)

val Light = Palette(
    dark = false,
    paper = Color(0xFFF6F3EC), card = Color(0xFFFFFFFF), well = Color(0xFFECE8DE), line = Color(0xFFDAD5C8),
    ink = Color(0xFF17211E), faint = Color(0xFF57625D),
    pine = Ink(Color(0xFF0F5B50), Color(0xFFFFFFFF)), tint = Ink(Color(0xFFD2E8DF), Color(0xFF0B3A32)),
    ember = Ink(Color(0xFFB14A1B), Color(0xFFFFFFFF)), glow = Ink(Color(0xFFFBE3D3), Color(0xFF6B2A0C)),
    danger = Ink(Color(0xFFAE2A22), Color(0xFFFFFFFF)), good = Color(0xFF1D7A4D),
    faces = listOf(
        Ink(Color(0xFFCFE3F2), Color(0xFF17405E)), Ink(Color(0xFFF5D9C8), Color(0xFF6A2D10)), Ink(Color(0xFFD9E8CB), Color(0xFF2F4A17)),
        Ink(Color(0xFFEBD8EE), Color(0xFF552A5E)), Ink(Color(0xFFF6E5B8), Color(0xFF574106)), Ink(Color(0xFFCDE9E4), Color(0xFF0E4A42)),
    ),
)

val Dark = Palette(
    dark = true,
    paper = Color(0xFF0F1513), card = Color(0xFF18201D), well = Color(0xFF222C28), line = Color(0xFF35413C),
    ink = Color(0xFFE9EEEA), faint = Color(0xFFA2AFA9),
    pine = Ink(Color(0xFF83D2BC), Color(0xFF06302A)), tint = Ink(Color(0xFF1D4A40), Color(0xFFD8F3E9)),
    ember = Ink(Color(0xFFF3A57E), Color(0xFF481A04)), glow = Ink(Color(0xFF4A2A19), Color(0xFFFBDCC8)),
    danger = Ink(Color(0xFFFF9E94), Color(0xFF520A06)), good = Color(0xFF7CD5A0),
    faces = listOf(
        Ink(Color(0xFF1F3E56), Color(0xFFCFE6F8)), Ink(Color(0xFF5A2E18), Color(0xFFFADCCB)), Ink(Color(0xFF32461F), Color(0xFFDDEECD)),
        Ink(Color(0xFF4A2C52), Color(0xFFF1DBF5)), Ink(Color(0xFF4D3C0F), Color(0xFFF8E8BC)), Ink(Color(0xFF14453E), Color(0xFFD0EFE9)),
    ),
)

private val LocalPalette = staticCompositionLocalOf { Light }

/** The colours of the theme that is on. */
val colors: Palette
    @Composable @ReadOnlyComposable
    get() = LocalPalette.current

private fun style(size: Int, line: Int, weight: FontWeight, family: FontFamily, spacing: Double = 0.0) =
    TextStyle(fontSize = size.sp, lineHeight = line.sp, fontWeight = weight, letterSpacing = spacing.sp, fontFamily = family)

private fun typography(family: FontFamily): Typography {
    val (plain, medium, bold) = Triple(FontWeight.Normal, FontWeight.Medium, FontWeight.Bold)
    return Typography(
        displaySmall = style(34, 40, bold, family, -0.6), headlineSmall = style(24, 30, bold, family, -0.3),
        titleLarge = style(20, 26, medium, family, -0.1), titleMedium = style(17, 22, medium, family),
        bodyLarge = style(16, 23, plain, family), bodyMedium = style(15, 21, plain, family), bodySmall = style(13, 18, plain, family),
        labelLarge = style(15, 20, medium, family), labelMedium = style(13, 17, medium, family), labelSmall = style(12, 16, medium, family),
    )
}

private fun scheme(p: Palette) = (if (p.dark) darkColorScheme() else lightColorScheme()).copy(
    primary = p.pine.ground, onPrimary = p.pine.on, primaryContainer = p.tint.ground, onPrimaryContainer = p.tint.on,
    secondary = p.pine.ground, onSecondary = p.pine.on, secondaryContainer = p.tint.ground, onSecondaryContainer = p.tint.on,
    tertiary = p.ember.ground, onTertiary = p.ember.on, background = p.paper, onBackground = p.ink, surface = p.paper, onSurface = p.ink,
    surfaceVariant = p.well, onSurfaceVariant = p.faint, surfaceContainerHighest = p.well, outline = p.faint, outlineVariant = p.line,
    error = p.danger.ground, onError = p.danger.on,
)

/** Colours, letters and corners for everything inside. */
@Composable
fun SampleTheme(theme: Theme = Theme.SYSTEM, family: FontFamily = FontFamily.Default, content: @Composable () -> Unit) {
    val dark = theme == Theme.DARK || (theme == Theme.SYSTEM && isSystemInDarkTheme())
    val palette = if (dark) Dark else Light
    val round = Shapes(small = RoundedCornerShape(12.dp), medium = RoundedCornerShape(18.dp), large = RoundedCornerShape(26.dp))
    CompositionLocalProvider(LocalPalette provides palette) {
        MaterialTheme(scheme(palette), round, typography(family), content)
    }
}
