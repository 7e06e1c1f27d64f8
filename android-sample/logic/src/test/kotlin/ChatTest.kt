package org.sidetone.sample.logic

import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.sidetone.*
import java.io.File

class ChatTest {
    private fun Person.chatting(): ChatLogic {
        home.chat(friend)
        return (home.state.value.place as Place.Chatting).logic
    }

    @Test
    fun `texts, reactions, voice notes and files arrive and are shown with what became of them`(@TempDir folder: File) = check {
        val (anna, ben) = Person.friends(folder)
        val (hers, his) = anna.chatting() to ben.chatting()
        hers.type("  first  ")
        hers.send()
        assertEquals("", hers.state.value.draft)
        val first = his.state.until { it.bubbles.isNotEmpty() }.bubbles.single().message
        assertEquals("first" to true, first.text to first.theirs)
        hers.state.until { it.bubbles.single().message.state == MessageState.READ }
        his.react(first.id!!, "👍")
        hers.state.until { it.bubbles.single().message.reactions.any { one -> one.emoji == "👍" } }
        hers.type("a word too many")
        hers.send()
        hers.takeBack(hers.state.until { it.bubbles[0].message.text == "a word too many" }.bubbles[0].message.id!!)
        his.state.until { it.bubbles[0].message.content is MessageContent.Deleted }

        assertTrue(hers.record())
        hers.state.until { it.note != null }
        hers.sendNote()
        val note = his.state.until { it.bubbles[0].transfer?.stage is TransferStage.Received }.bubbles[0]
        assertEquals(2_000u to FileKind.VOICE_NOTE, note.preview!!.durationMs to (note.message.content as MessageContent.File).kind)
        his.open(note.transfer!!)
        assertEquals("OggS", File(ben.desk.opened.single()).readBytes().decodeToString(0, 4))

        ben.sample.client().preferAcceptBelow(0u)
        anna.desk.picked = File(folder, "minutes.pdf").apply { writeBytes(ByteArray(900_000) { (it * 7).toByte() }) }.path
        hers.attach(Pick.FILE)
        val offered = his.state.until { it.bubbles[0].transfer?.name == "minutes.pdf" }.bubbles[0].transfer!!
        if (offered.stage is TransferStage.Offered) his.accept(offered.transfer)
        val here = his.state.until { it.bubbles[0].transfer?.stage is TransferStage.Received }.bubbles[0].transfer!!
        assertArrayEquals(File(anna.desk.picked!!).readBytes(), File(here.path!!).readBytes())
        for (one in listOf(anna, ben)) one.close()
    }

    @Test
    fun `without the microphone nothing is recorded and a note thrown away is not sent`() = check {
        val (anna, ben) = Person.friends()
        val hers = anna.chatting()
        anna.desk.forbidden = setOf(Permission.MICROPHONE)
        assertFalse(hers.record())
        anna.desk.openPermissions()
        assertTrue(hers.record())
        hers.dropNote()
        assertNull(hers.state.value.note)
        hers.type("only this")
        hers.send()
        assertEquals(listOf("only this"), hers.state.until { it.bubbles.isNotEmpty() }.bubbles.map { it.message.text })
        for (one in listOf(anna, ben)) one.close()
    }

    @Test
    fun `a draft is there again when the conversation is opened again and a friend is seen writing`() = check {
        val (anna, ben) = Person.friends()
        val his = ben.chatting()
        val hers = anna.chatting()
        his.type("to open the way")
        his.send()
        hers.state.until { it.bubbles.isNotEmpty() }
        var letters = "almost"
        while (!his.state.value.typing) {
            letters += "."
            hers.type(letters)
            kotlinx.coroutines.delay(20)
        }
        anna.sample.client().let { client -> while (client.chats().single().draft != letters) kotlinx.coroutines.delay(5) }
        anna.home.back()
        assertEquals(letters, anna.chatting().state.until { it.draft.isNotEmpty() }.draft)
        for (one in listOf(anna, ben)) one.close()
    }
}
