package androidx.compose.ui.res

import androidx.compose.runtime.Composable
import androidx.compose.runtime.ReadOnlyComposable
import androidx.compose.runtime.remember
import androidx.compose.runtime.staticCompositionLocalOf
import androidx.compose.ui.graphics.painter.Painter
import androidx.compose.ui.graphics.vector.ImageVector
import androidx.compose.ui.graphics.vector.VectorPath
import androidx.compose.ui.graphics.vector.rememberVectorPainter
import androidx.compose.ui.platform.LocalDensity
import androidx.compose.ui.unit.Density
import org.sidetone.sample.R
import org.w3c.dom.Element
import org.xml.sax.InputSource
import java.util.concurrent.ConcurrentHashMap
import javax.xml.parsers.DocumentBuilderFactory

/** The language of the screens on a desk, where no system says it. */
val LocalLanguage = staticCompositionLocalOf { "en" }

/** What Android's function of this name does, from the same files. */
@Composable
@ReadOnlyComposable
fun stringResource(id: Int, vararg formatArgs: Any): String = Words.of(LocalLanguage.current).text(id, formatArgs)

@Composable
@ReadOnlyComposable
fun pluralStringResource(id: Int, count: Int, vararg formatArgs: Any): String =
    Words.of(LocalLanguage.current).text(id, formatArgs, if (count == 1) "one" else "other")

/** The drawing of this number. */
@Composable
fun painterResource(id: Int): Painter {
    val density = LocalDensity.current
    return rememberVectorPainter(remember(id, density) { drawing(R.names[id], density) })
}

private fun drawing(name: String, density: Density): ImageVector {
    val file = checkNotNull(Words::class.java.getResourceAsStream("/drawable/$name.xml")) { "no drawing $name" }.use { it.readBytes().decodeToString() }
    val drawn = loadXmlImageVector(InputSource(file.reader()), density)
    return if ("autoMirrored=\"true\"" in file) mirrored(drawn) else drawn
}

/** Drawn the other way round where one reads from right to left: what the desktop's reader of drawings passes over. */
private fun mirrored(drawn: ImageVector): ImageVector =
    ImageVector.Builder(drawn.name, drawn.defaultWidth, drawn.defaultHeight, drawn.viewportWidth, drawn.viewportHeight, autoMirror = true).apply {
        drawn.root.filterIsInstance<VectorPath>().forEach {
            addPath(it.pathData, it.pathFillType, it.name, it.fill, it.fillAlpha, it.stroke, it.strokeAlpha, it.strokeLineWidth, it.strokeLineCap, it.strokeLineJoin, it.strokeLineMiter)
        }
    }.build()

/** One `strings.xml`. */
class Words private constructor(folder: String) {
    private val entries: Map<String, Map<String, String>>

    init {
        val stream = checkNotNull(javaClass.getResourceAsStream("/$folder/strings.xml")) { "no words in $folder" }
        val root = stream.use { DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(it) }.documentElement
        val elements = (0 until root.childNodes.length).mapNotNull { root.childNodes.item(it) as? Element }
        entries = elements.associate { it.getAttribute("name") to if (it.tagName == "plurals") items(it) else mapOf("other" to plain(it.textContent)) }
    }

    /** The name of every entry. */
    val keys: Set<String> get() = entries.keys

    fun raw(key: String): Map<String, String> = entries.getValue(key)

    fun text(id: Int, arguments: Array<out Any>, quantity: String = "other"): String {
        val forms = raw(R.names[id])
        return String.format(forms[quantity] ?: forms.getValue("other"), *arguments)
    }

    private fun items(plurals: Element) = plurals.getElementsByTagName("item").let { all ->
        (0 until all.length).map { all.item(it) as Element }.associate { it.getAttribute("quantity") to plain(it.textContent) }
    }

    private fun plain(text: String) = text.replace("\\'", "'").replace("\\n", "\n").replace("\\\"", "\"")

    companion object {
        private val all = ConcurrentHashMap<String, Words>()

        fun of(language: String): Words = all.getOrPut(language) { Words(if (language == "en") "values" else "values-$language") }
    }
}
