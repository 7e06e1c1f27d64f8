package org.sidetone.sample.platform

import android.app.Notification
import android.app.NotificationManager
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment

@RunWith(RobolectricTestRunner::class)
class BellTest {
    private val notices = RuntimeEnvironment.getApplication().getSystemService(NotificationManager::class.java)

    @Test
    fun `a call that comes rings over the lock screen until it is taken`() {
        val bell = Bell(RuntimeEnvironment.getApplication())
        bell.ring("Ayşe")
        val shown = notices.activeNotifications.single().notification
        assertEquals("Ayşe" to Notification.CATEGORY_CALL, shown.extras.getString(Notification.EXTRA_TITLE) to shown.category)
        assertNotNull(shown.fullScreenIntent)
        assertTrue(shown.flags and Notification.FLAG_INSISTENT != 0)
        val channel = notices.getNotificationChannel(shown.channelId)
        assertEquals(NotificationManager.IMPORTANCE_HIGH, channel.importance)
        assertNotNull(channel.sound)
        bell.rest()
        assertEquals(0, notices.activeNotifications.size)
    }
}
