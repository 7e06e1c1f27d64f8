package org.sidetone.sample.platform

import android.app.*
import android.content.Context
import android.content.Intent
import android.content.pm.ServiceInfo
import android.os.Build
import android.os.IBinder

/** Keeps the app alive and its microphone open while a call or a room is on, and says so in the status bar. */
class CallService : Service() {
    override fun onBind(intent: Intent?): IBinder? = null

    override fun onStartCommand(intent: Intent?, flags: Int, startId: Int): Int {
        val shown = notification(intent?.getStringExtra(WHO).orEmpty())
        if (Build.VERSION.SDK_INT >= 30) startForeground(NUMBER, shown, ServiceInfo.FOREGROUND_SERVICE_TYPE_MICROPHONE) else startForeground(NUMBER, shown)
        return START_NOT_STICKY
    }

    private fun notification(who: String): Notification {
        val open = packageManager.getLaunchIntentForPackage(packageName)
        val tap = PendingIntent.getActivity(this, 0, open ?: Intent(), PendingIntent.FLAG_IMMUTABLE)
        return builder(this).setSmallIcon(android.R.drawable.sym_action_call).setContentTitle(who)
            .setContentIntent(tap).setOngoing(true).setCategory(Notification.CATEGORY_CALL).build()
    }

    companion object {
        private const val CHANNEL = "calls"
        private const val WHO = "who"
        private const val NUMBER = 1

        fun start(context: Context, who: String) {
            val intent = Intent(context, CallService::class.java).putExtra(WHO, who)
            if (Build.VERSION.SDK_INT >= 26) context.startForegroundService(intent) else context.startService(intent)
        }

        fun stop(context: Context) = context.stopService(Intent(context, CallService::class.java))

        @Suppress("DEPRECATION") // Before channels there is no other.
        private fun builder(context: Context): Notification.Builder {
            if (Build.VERSION.SDK_INT < 26) return Notification.Builder(context)
            val channel = NotificationChannel(CHANNEL, context.applicationInfo.loadLabel(context.packageManager), NotificationManager.IMPORTANCE_DEFAULT)
            context.getSystemService(NotificationManager::class.java).createNotificationChannel(channel)
            return Notification.Builder(context, CHANNEL)
        }
    }
}
