package org.sidetone.sample.platform

import android.content.Intent
import android.content.pm.ActivityInfo
import android.content.pm.ResolveInfo
import android.util.Base64
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.sidetone.PushAddress

@RunWith(RobolectricTestRunner::class)
class ReachTest {
    private val phone = RuntimeEnvironment.getApplication()

    private fun heard(what: String, token: String?, vararg more: Pair<String, String>) = Intent("org.unifiedpush.android.connector.$what").putExtra("token", token)
        .apply { more.forEach { (name, value) -> putExtra(name, value) } }

    private fun distributor() {
        val found = ResolveInfo().apply { activityInfo = ActivityInfo().apply { packageName = "org.example.distributor"; name = "Receiver" } }
        @Suppress("DEPRECATION")
        shadowOf(phone.packageManager).addResolveInfoForIntent(Intent("org.unifiedpush.android.distributor.REGISTER"), found)
    }

    @Test
    fun `without an app that wakes others nobody is asked and nothing is told`() {
        val reach = Reach(phone)
        reach.subscribe(ByteArray(65))
        assertTrue(shadowOf(phone).broadcastIntents.isEmpty())
        assertNull(reach.address.value)
        assertFalse(reach.hear(heard("MESSAGE", null)))
        assertFalse(reach.hear(heard("MESSAGE", "guessed")))
    }

    @Test
    fun `the app that wakes others is asked for this server, and is believed by the token it was given alone`() {
        distributor()
        val reach = Reach(phone)
        reach.subscribe(ByteArray(65) { 9 })
        val asked = shadowOf(phone).broadcastIntents.single()
        assertEquals("org.example.distributor" to phone.packageName, asked.`package` to asked.getStringExtra("application"))
        assertArrayEquals(ByteArray(65) { 9 }, Base64.decode(asked.getStringExtra("vapid"), Base64.URL_SAFE))
        val token = asked.getStringExtra("token")!!
        assertFalse(reach.hear(heard("NEW_ENDPOINT", "guessed", "endpoint" to "https://evil.example")))
        assertNull(reach.address.value)
        assertFalse(reach.hear(heard("NEW_ENDPOINT", token, "endpoint" to "https://push.example/1")))
        val told = reach.address.value as PushAddress.Web
        assertEquals(Triple("https://push.example/1", 65, 16), Triple(told.endpoint, told.key.size, told.auth.size))
        assertEquals(4.toByte(), told.key[0])
        assertTrue(reach.hear(heard("MESSAGE", token)))
        assertFalse(reach.hear(heard("MESSAGE", "guessed")))
        val again = Reach(phone)
        assertArrayEquals(told.key, (again.address.value as PushAddress.Web).key)
        again.subscribe(ByteArray(65))
        assertEquals(token, shadowOf(phone).broadcastIntents.last().getStringExtra("token"))
        again.hear(heard("UNREGISTERED", token))
        assertNull(again.address.value)
        assertNull(Reach(phone).address.value)
    }
}
