package org.sidetone.sample.ui

import androidx.compose.ui.res.Words
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.sidetone.ErrorCode
import org.sidetone.sample.R
import java.io.File

class WordsTest {
    private val gaps = Regex("%(\\d\\$)?[a-z%]")

    @Test
    fun `every text is there in both languages with the same gaps`() {
        val (english, turkish) = Words.of("en") to Words.of("tr")
        assertEquals(english.keys, turkish.keys)
        for (key in english.keys) {
            val holes = listOf(english, turkish).map { words -> words.raw(key)["other"]!!.let { gaps.findAll(it).map(MatchResult::value).sorted().toList() } }
            assertEquals(holes[0], holes[1], key)
            assertTrue(turkish.raw(key).values.all(String::isNotBlank), key)
        }
    }

    @Test
    fun `every word is said somewhere`() {
        val home = File(System.getProperty("sample.home"))
        val said = listOf("ui/src/main", "app/src/main/AndroidManifest.xml").flatMap { File(home, it).walk().filter(File::isFile).toList() }.joinToString { it.readText() }
        val silent = Words.of("en").keys.filterNot { Regex("(string|plurals)[./]$it\\b").containsMatchIn(said) }
        assertEquals(emptyList<String>(), silent)
    }

    @Test
    fun `every error says something to a person`() {
        val said = ErrorCode.entries.associateWith { Words.of("en").text(wordsOf(it), emptyArray()) }
        assertTrue(said.values.all(String::isNotBlank))
        assertEquals("Nobody has exactly this name.", said[ErrorCode.NO_SUCH_PERSON])
        assertTrue(said.values.toSet().size > 20)
    }

    @Test
    fun `quotes and gaps are what Android makes of them`() {
        assertEquals("2 unread messages", Words.of("en").text(R.plurals.unread, arrayOf(2), "other"))
        assertEquals("23 s left", Words.of("en").text(R.string.seconds_left, arrayOf(23)))
    }
}
