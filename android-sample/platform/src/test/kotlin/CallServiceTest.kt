package org.sidetone.sample.platform

import android.app.Notification
import android.app.NotificationManager
import android.content.pm.ServiceInfo
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

@RunWith(RobolectricTestRunner::class)
class CallServiceTest {
    private val phone = RuntimeEnvironment.getApplication()

    /** What the last call of [CallService.start] leads to. */
    private fun begun(): CallService = Robolectric.buildService(CallService::class.java, shadowOf(phone).nextStartedService).create().startCommand(0, 1).get()

    @Test
    fun `a call is in the status bar as long as it is on, and may use the microphone and no more`() {
        CallService.start(phone)
        val service = begun()
        val shown = shadowOf(service).lastForegroundNotification
        assertEquals(Notification.CATEGORY_CALL, shown.category)
        assertTrue(shown.flags and Notification.FLAG_ONGOING_EVENT != 0)
        assertNotNull(phone.getSystemService(NotificationManager::class.java).getNotificationChannel(shown.channelId))
        assertEquals(ServiceInfo.FOREGROUND_SERVICE_TYPE_MICROPHONE, service.foregroundServiceType)
        CallService.stop(phone)
        assertEquals(CallService::class.java.name, shadowOf(phone).nextStoppedService.component!!.className)
    }

    @Test
    fun `who shows the camera and the screen is told to the system as one who does`() {
        CallService.start(phone, camera = true, screen = true)
        val all = ServiceInfo.FOREGROUND_SERVICE_TYPE_MICROPHONE or ServiceInfo.FOREGROUND_SERVICE_TYPE_CAMERA or ServiceInfo.FOREGROUND_SERVICE_TYPE_MEDIA_PROJECTION
        assertEquals(all, begun().foregroundServiceType)
    }
}
