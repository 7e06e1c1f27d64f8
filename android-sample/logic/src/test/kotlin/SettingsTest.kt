package org.sidetone.sample.logic

import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.sidetone.*
import java.io.File

class SettingsTest {
    @Test
    fun `what is chosen is shown, everything is exported, and the server says what it keeps`(@TempDir folder: File) = check {
        val anna = Person.registered(folder)
        val settings = anna.home.settings
        settings.prefer(Theme.DARK)
        settings.prefer(RouteRule.RELAY_ONLY)
        settings.prefer(AddressRule.RELAY_UNTIL_ACCEPTED)
        settings.prefer(ReceiptRule.KEEP)
        val kept = settings.state.until { it.preferences?.receipts == ReceiptRule.KEEP && it.preferences.routes == RouteRule.RELAY_ONLY }.preferences!!
        assertEquals(Theme.DARK to AddressRule.RELAY_UNTIL_ACCEPTED, kept.theme to kept.addresses)
        settings.type("a passphrase of four words")
        settings.export()
        assertTrue(settings.state.value.exported!!.rows > 0u)
        assertTrue(File(folder, "export").list()!!.isNotEmpty())
        assertEquals("" to false, settings.state.value.let { it.passphrase to it.exporting })
        settings.receipts()
        assertTrue(anna.name in settings.state.value.kept!!, settings.state.value.kept)
        anna.close()
    }
}
