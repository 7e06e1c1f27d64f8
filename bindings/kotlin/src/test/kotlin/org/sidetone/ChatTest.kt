package org.sidetone

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.async
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.yield
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.BeforeAll
import org.junit.jupiter.api.Test
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.seconds

class ChatTest {
    private val hers get() = duo.anna.chat(duo.benId)
    private val his get() = duo.ben.chat(duo.annaId)

    @Test
    fun `a text arrives and its sender learns that it was read`() = check {
        val text = "Grüße, \uD83D\uDC4B \u0000 and \u202E"
        val position = hers.send(text)
        his.latest().until { it.firstOrNull()?.text == text }
        hers.latest().until { all -> all.first { it.position == position }.state == MessageState.DELIVERED }
        his.markRead()
        hers.latest().until { all -> all.first { it.position == position }.state == MessageState.READ }
    }

    @Test
    fun `twenty texts each way keep their order`() = check {
        for (number in 0 until 20) {
            hers.send("hers $number")
            his.send("his $number")
        }
        for ((chat, side) in listOf(hers to "his", his to "hers")) {
            val theirs = chat.latest(200).until { all -> all.count { it.text.startsWith("$side ") } == 20 }
            assertEquals((0 until 20).map { "$side $it" }.reversed(), theirs.map { it.text }.filter { it.startsWith("$side ") })
        }
    }

    @Test
    fun `a text is neither empty nor endless`() = check {
        assertEquals(ErrorCode.TEXT_LENGTH, failure { hers.send("") })
        assertEquals(ErrorCode.TEXT_LENGTH, failure { hers.send("x".repeat(65_537)) })
        assertEquals(ErrorCode.TEXT_LENGTH, failure { hers.send("x".repeat(5_000_000)) })
    }

    @Test
    fun `a text of full length arrives whole`() = check {
        val text = "\uD834\uDD1E".repeat(16_384)
        hers.send(text)
        his.latest().until { all -> all.any { it.text == text } }
    }

    @Test
    fun `only friends write to each other`() = check {
        assertEquals(ErrorCode.NOT_FRIENDS, failure { duo.anna.chat(UserId("11".repeat(16))).send("hello") })
    }

    @Test
    fun `a conversation is read page by page`() = check {
        val positions = (1..7).map { hers.send("page $it") }
        val first = hers.history(limit = 3)
        assertEquals(positions.takeLast(3).reversed(), first.map { it.position })
        val next = hers.history(limit = 3, before = first.last().position)
        assertEquals(positions.drop(1).take(3).reversed(), next.map { it.position })
        assertEquals(emptyList<Message>(), hers.history(limit = 0).drop(1))
        assertEquals(emptyList<Message>(), hers.history(limit = -5).drop(1))
    }

    @Test
    fun `unread messages are counted until they are read`() = check {
        his.markRead()
        duo.ben.friends.until { it.first().unread == 0u }
        repeat(3) { hers.send("unread $it") }
        duo.ben.friends.until { it.first().unread == 3u }
        his.markRead()
        duo.ben.friends.until { it.first().unread == 0u }
    }

    private suspend fun both(holds: (Message) -> Boolean) {
        for (chat in listOf(hers, his)) chat.latest(200).until { all -> all.any(holds) }
    }

    private suspend fun said(text: String): MessageId {
        val position = hers.send(text)
        his.latest().until { all -> all.any { it.text == text } }
        return hers.history().first { it.position == position }.id!!
    }

    @Test
    fun `an edit a reaction and an answer reach both phones`() = check {
        val id = said("teh house")
        hers.edit(id, "the house")
        both { it.text == "the house" && it.editedMs != null }
        his.react(id, "\uD83D\uDC4D")
        both { it.id == id && it.reactions.singleOrNull()?.emoji == "\uD83D\uDC4D" }
        his.reply(id, "which one?")
        both { it.text == "which one?" && it.reply == id }
        assertEquals(ErrorCode.NO_SUCH_MESSAGE, failure { his.edit(id, "not mine") })
        assertEquals(ErrorCode.REACTIONS, failure { his.react(id, "x".repeat(1_000)) })
    }

    @Test
    fun `who looks at a conversation sees what changes in it`() = check {
        val id = said("teh end")
        his.markRead()
        hers.latest().until { all -> all.first { it.id == id }.state == MessageState.READ }
        // Nothing is under way any more: what his phone is told next is the edit.
        val looking = CompletableDeferred<Unit>()
        val seen = async { his.latest(200).onEach { looking.complete(Unit) }.until { all -> all.any { it.text == "the end" } } }
        looking.await()
        hers.edit(id, "the end")
        seen.await()
    }

    @Test
    fun `what is taken back is gone from both phones`() = check {
        val id = said("a secret")
        hers.takeBack(id)
        both { it.id == id && it.content is MessageContent.Deleted && it.text.isEmpty() }
        assertEquals(ErrorCode.NO_SUCH_MESSAGE, failure { hers.edit(id, "again") })
        assertEquals(ErrorCode.NOT_AN_ID, failure { hers.takeBack(MessageId("00")) })
    }

    @Test
    fun `a search finds what was said page by page`() = check {
        for (number in 1..120) hers.send("needle $number")
        assertEquals((120 downTo 1).map { "needle $it" }, duo.anna.search("NEEDLE").map { it.message.text }.toList())
        assertEquals(duo.benId, duo.anna.search("needle 7", duo.benId).first().peer)
        assertEquals(emptyList<Hit>(), duo.anna.search("haystack").toList())
        assertEquals(ErrorCode.TEXT_LENGTH, failure { duo.anna.search(" ").toList() })
    }

    @Test
    fun `a draft a timer and a place belong to the conversation`() = check {
        hers.setDraft("I wanted to s")
        hers.setTimer(1.hours)
        assertEquals(ErrorCode.STAY_RANGE, failure { hers.setTimer(0.seconds) })
        hers.setStorage(StorageRule.EPHEMERAL)
        val view = duo.anna.chats().single()
        assertEquals(listOf("I wanted to s", 3_600u, StorageRule.EPHEMERAL), listOf(view.draft, view.ourStayS, view.storage))
        hers.setDraft("")
        hers.setTimer(null)
        hers.setStorage(StorageRule.KEPT)
        assertEquals(null to null, duo.anna.chats().single().let { it.draft to it.ourStayS })
    }

    @Test
    fun `a friend is seen writing`() = check {
        hers.send("to open the link")
        his.latest().until { all -> all.any { it.text == "to open the link" } }
        val seen = async { his.typists.first() }
        while (!seen.isCompleted) {
            hers.typing()
            yield()
        }
        seen.await()
    }

    companion object {
        private lateinit var duo: Duo

        @JvmStatic
        @BeforeAll
        fun meet() = check { duo = Phones.friends() }

        @JvmStatic
        @AfterAll
        fun part() = check { duo.close() }
    }
}
