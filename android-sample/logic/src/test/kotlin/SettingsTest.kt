package org.sidetone.sample.logic

import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.sidetone.*
import java.io.File
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

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
        assertEquals(emptyList<Receipt>(), settings.state.value.receipts)
        anna.close()
    }

    @Test
    fun `a friend's call wakes this phone by what the phone offers, and leaves a receipt`() = check {
        val (anna, ben) = Person.friends()
        val client = ben.sample.client()
        assertArrayEquals(client.pushKey(), ben.desk.waker.until { it != null })
        assertFalse(ben.home.settings.state.value.woken)
        ben.desk.reach.value = PushAddress.Web(Person.server.pushEndpoint(), client.pushKey(), ByteArray(16))
        ben.home.settings.state.until { it.woken }
        client.onBackground()
        client.online.until { !it }
        anna.home.call(anna.friend)
        assertTrue(Person.server.nextWakeUp())
        assertNull(ben.home.state.value.call, "the control: it sleeps")
        assertTrue(ben.sample.wake(60.seconds))
        ben.home.state.until { it.call != null }
        ben.home.choose(CallChoice.ANSWER)
        anna.home.state.value.call!!.state.until { it.view.state is CallState.Connected }
        anna.home.settings.receipts()
        val receipt = anna.home.settings.state.value.receipts!!.single()
        assertEquals(ben.name to null, receipt.name to receipt.about.tookMs)
        ben.desk.reach.value = null
        ben.home.settings.state.until { !it.woken }
        anna.home.choose(CallChoice.HANG_UP)
        client.calls.until { it.isEmpty() }
        assertFalse(ben.sample.wake(1.milliseconds), "a call that was withdrawn holds nothing awake")
        for (one in listOf(anna, ben)) one.close()
    }
}
