package org.sidetone.sample.platform

import android.telecom.DisconnectCause
import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test
import org.sidetone.CallEnd
import org.sidetone.devices.causeOf
import org.w3c.dom.Element
import java.io.File
import javax.xml.parsers.DocumentBuilderFactory

private const val ANDROID = "http://schemas.android.com/apk/res/android"

class ManifestTest {
    private val manifest = DocumentBuilderFactory.newInstance().apply { isNamespaceAware = true }.newDocumentBuilder()
        .parse(File(System.getProperty("sample.home"), "app/src/main/AndroidManifest.xml")).documentElement

    private fun all(tag: String) = manifest.getElementsByTagName(tag).let { found -> (0 until found.length).map { found.item(it) as Element } }

    private fun Element.of(name: String): String = getAttributeNS(ANDROID, name)

    @Test
    fun `what the manifest names is there`() {
        val names = listOf("application", "service", "receiver", "provider", "activity").flatMap(::all).map { it.of("name") }
        assertEquals(7, names.size)
        // Only looked for: these classes are for a newer Java than a desk may have.
        val missing = names.filter { javaClass.getResource("/" + (if (it.startsWith('.')) "org.sidetone.sample$it" else it).replace('.', '/') + ".class") == null }
        assertEquals(listOf(".MainActivity"), missing, "all but the activity, which Android Studio builds")
    }

    @Test
    fun `the service of a call may use the microphone and nothing kept is in a backup`() {
        val service = all("service").first { it.of("name") == ".platform.CallService" }
        assertTrue("microphone" in service.of("foregroundServiceType").split('|'))
        val asked = all("uses-permission").map { it.of("name").removePrefix("android.permission.") }
        assertTrue(asked.containsAll(listOf("RECORD_AUDIO", "FOREGROUND_SERVICE", "FOREGROUND_SERVICE_MICROPHONE", "MANAGE_OWN_CALLS", "ACCESS_NETWORK_STATE")))
        assertEquals("false", all("application").single().of("allowBackup"))
        for (closed in all("service") + all("provider")) assertTrue(closed.of("exported") == "false" || closed.of("permission").isNotEmpty(), closed.of("name"))
    }

    @Test
    fun `the system is told why a call is over as its own words have it`() {
        assertEquals(DisconnectCause.MISSED, causeOf(CallEnd.Missed))
        assertEquals(DisconnectCause.BUSY, causeOf(CallEnd.PeerBusy))
        assertEquals(DisconnectCause.LOCAL to DisconnectCause.REMOTE, causeOf(CallEnd.HungUp) to causeOf(CallEnd.PeerHungUp))
    }
}
