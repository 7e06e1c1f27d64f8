package org.sidetone

import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import java.io.File

class FilesTest {
    @Test
    fun `a file arrives whole at a friend who takes it`(@TempDir folder: File) = check {
        val (anna, ben) = Phones.registered(store = File(folder, "anna.db").path) to Phones.registered(store = File(folder, "ben.db").path)
        val bens = anna.befriend(ben.name())
        val annas = ben.friends.until { it.isNotEmpty() }.first().user
        ben.accept(annas)
        for (phone in listOf(anna, ben)) phone.friends.until { all -> all.any { it.standing == Standing.FRIEND && it.online } }
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
}
