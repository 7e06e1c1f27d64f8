package org.sidetone.sample.platform

import android.net.Uri
import android.os.ParcelFileDescriptor
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import java.io.File
import java.io.FileNotFoundException

@RunWith(RobolectricTestRunner::class)
class FilesTest {
    private val files = Robolectric.setupContentProvider(Files::class.java)
    private val home = RuntimeEnvironment.getApplication().filesDir

    private fun read(path: String, mode: String = "r") =
        ParcelFileDescriptor.AutoCloseInputStream(files.openFile(Uri.parse("content://org.sidetone.sample.files/$path"), mode)).use { it.readBytes().decodeToString() }

    @Test
    fun `another app reads the received file that it was given, and nothing else of ours`() {
        File(home, "received").mkdirs()
        File(home, "received/tide table.pdf").writeText("high at six")
        File(home, "secret").writeText("a secret")
        assertEquals("high at six", read("tide%20table.pdf"))
        for (way in listOf("secret", "../secret", "..%2Fsecret", "%2E%2E%2F%2E%2E%2Fsecret", "", "..", "none.pdf")) {
            assertThrows(way, FileNotFoundException::class.java) { read(way) }
        }
        for (mode in listOf("w", "rw", "rwt")) assertThrows(mode, FileNotFoundException::class.java) { read("tide%20table.pdf", mode) }
    }
}
