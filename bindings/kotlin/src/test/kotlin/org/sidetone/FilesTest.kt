package org.sidetone

import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

class FilesTest {
    @Test
    fun `a file arrives whole at a friend who takes it`(@TempDir folder: File) = check {
        val duo = Phones.friends(folder = folder)
        val (anna, ben) = duo.anna to duo.ben
        val (annas, bens) = duo.annaId to duo.benId
        val file = File(folder, "minutes.bin").apply { writeBytes(ByteArray(3_000_000) { (it * 31).toByte() }) }
        ben.preferAcceptBelow(0u)
        val id = anna.chat(bens).sendFile(file.path, "application/x-minutes")
        val offered = ben.transfers.until { all -> all.any { it.transfer == id } }.first { it.transfer == id }
        assertEquals(listOf("minutes.bin", "application/x-minutes", 3_000_000uL, false), listOf(offered.name, offered.mime, offered.size, offered.ours))
        if (offered.stage is TransferStage.Offered) runCatching { ben.acceptFile(id) }
        ben.transfers.until { all -> all.none { it.transfer == id } }
        val here = ben.chat(annas).transfer(id)!!
        assertEquals(TransferStage.Received, here.stage)
        assertArrayEquals(file.readBytes(), File(here.path!!).readBytes())
        for (phone in listOf(anna, ben)) phone.close()
    }

    @Test
    fun `what is no file or no transfer is refused`(@TempDir folder: File) = check {
        val duo = Phones.friends()
        val chat = duo.anna.chat(duo.benId)
        assertEquals(ErrorCode.FILE_UNREADABLE, failure { chat.sendFile(File(folder, "nothing").path) })
        val text = File(folder, "text.jpg").apply { writeText("no picture") }
        assertEquals(ErrorCode.FILE_MALFORMED, failure { chat.sendImage(text.path) })
        assertEquals(ErrorCode.NO_SUCH_TRANSFER, failure { duo.anna.acceptFile(TransferId("00".repeat(16))) })
        assertEquals(ErrorCode.NOT_AN_ID, failure { duo.anna.cancelFile(TransferId("?")) })
        assertTrue(duo.anna.transfers.value.isEmpty())
        duo.close()
    }

    @Test
    fun `a voice note is spoken sent once and shown before it is here`(@TempDir folder: File) = check {
        val duo = Phones.friends(folder = folder)
        val note = VoiceNote()
        val voice = Recording.voice("anna").samples
        val block = ByteBuffer.allocateDirect(9_600).order(ByteOrder.nativeOrder())
        for (at in 0 until 30) {
            for (i in 0 until 4_800) block.putShort(2 * i, voice[4_800 * at + i])
            assertEquals(9_600, note.push(block))
        }
        assertEquals(3_000u, note.view!!.durationMs)
        assertEquals(Sound.LENGTH, note.push(ByteBuffer.allocateDirect(961)))
        assertThrows(IllegalArgumentException::class.java) { note.push(ByteBuffer.allocate(960)) }
        val id = duo.anna.chat(duo.benId).sendVoiceNote(note)
        assertEquals(null, note.view)
        assertEquals(Sound.CLOSED, note.push(block))
        assertEquals(ErrorCode.NOTE_EMPTY, failure { duo.anna.chat(duo.benId).sendVoiceNote(note) })
        val his = duo.ben.chat(duo.annaId)
        val entry = his.latest().until { all -> (all.firstOrNull()?.content as? MessageContent.File)?.kind == FileKind.VOICE_NOTE }
        assertEquals(id, (entry.first().content as MessageContent.File).transfer)
        val shown = his.preview(id)
        assertEquals(3_000u to true, shown.durationMs to shown.waveform.any { it > 20 })
        duo.ben.until { his.transfer(id)?.stage is TransferStage.Received }
        assertEquals("OggS", String(File(his.transfer(id)!!.path!!).readBytes().copyOf(4)))
        val silent = VoiceNote()
        assertEquals(ErrorCode.NOTE_EMPTY, failure { duo.anna.chat(duo.benId).sendVoiceNote(silent) })
        val many = List(16) { VoiceNote() }
        assertEquals(ErrorCode.SYSTEM, failure { VoiceNote() })
        (many + note + silent).forEach { it.close() }
        note.close()
        assertEquals(null, note.view)
        duo.close()
    }

    @Test
    fun `which files are taken is the user's choice`() = check {
        val phone = Phones.registered()
        phone.setFilePolicy(FilePolicy(1_000u, 2_000u))
        assertEquals(FilePolicy(1_000u, 2_000u), phone.filePolicy())
        phone.close()
    }
}
