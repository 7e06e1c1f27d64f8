package org.sidetone.sample.platform

import android.app.*
import android.content.Context
import android.content.Intent
import android.content.pm.ServiceInfo
import android.os.Build
import android.os.IBinder

/** Keeps the app alive and what a call uses open while one is on, and says so in the status bar. */
class CallService : Service() {
    override fun onBind(intent: Intent?): IBinder? = null

    override fun onStartCommand(intent: Intent?, flags: Int, startId: Int): Int {
        val types = intent?.getIntExtra(TYPES, 0) ?: 0
        if (Build.VERSION.SDK_INT >= 30) startForeground(NUMBER, notification(), types) else startForeground(NUMBER, notification())
        return START_NOT_STICKY
    }

    private fun notification(): Notification {
        val open = packageManager.getLaunchIntentForPackage(packageName)
        val tap = PendingIntent.getActivity(this, 0, open ?: Intent(), PendingIntent.FLAG_IMMUTABLE)
        return builder(this).setSmallIcon(android.R.drawable.sym_action_call).setContentTitle(applicationInfo.loadLabel(packageManager))
            .setContentIntent(tap).setOngoing(true).setCategory(Notification.CATEGORY_CALL).build()
    }

    companion object {
        private const val CHANNEL = "calls"
        private const val TYPES = "types"
        private const val NUMBER = 1

        /** Begins it, or changes what it is for. Android lets an app use only what its service says. */
        fun start(context: Context, camera: Boolean = false, screen: Boolean = false) {
            val types = ServiceInfo.FOREGROUND_SERVICE_TYPE_MICROPHONE or
                (if (camera) ServiceInfo.FOREGROUND_SERVICE_TYPE_CAMERA else 0) or (if (screen) ServiceInfo.FOREGROUND_SERVICE_TYPE_MEDIA_PROJECTION else 0)
            val intent = Intent(context, CallService::class.java).putExtra(TYPES, types)
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
