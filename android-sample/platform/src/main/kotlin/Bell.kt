package org.sidetone.sample.platform

import android.annotation.SuppressLint
import android.app.Notification
import android.app.NotificationChannel
import android.app.NotificationManager
import android.app.PendingIntent
import android.content.Context
import android.content.Intent
import android.media.AudioAttributes
import android.media.RingtoneManager
import android.os.Build

/** Rings for a call that comes, over the lock screen too: touching it opens the app, where it can be answered. */
class Bell(private val context: Context) {
    private val notices = context.getSystemService(NotificationManager::class.java)

    @SuppressLint("FullScreenIntentPolicy") // It is for calls.
    fun ring(name: String) {
        val open = context.packageManager.getLaunchIntentForPackage(context.packageName) ?: Intent()
        val tap = PendingIntent.getActivity(context, 0, open, PendingIntent.FLAG_IMMUTABLE)
        val shown = builder().setSmallIcon(android.R.drawable.sym_call_incoming).setContentTitle(name).setCategory(Notification.CATEGORY_CALL)
            .setContentIntent(tap).setFullScreenIntent(tap, true).setOngoing(true).build()
        notices.notify(NUMBER, shown.apply { flags = flags or Notification.FLAG_INSISTENT })
    }

    fun rest() = notices.cancel(NUMBER)

    @Suppress("DEPRECATION") // Before channels there is no other.
    private fun builder(): Notification.Builder {
        val tone = RingtoneManager.getDefaultUri(RingtoneManager.TYPE_RINGTONE)
        if (Build.VERSION.SDK_INT < 26) return Notification.Builder(context).setSound(tone).setPriority(Notification.PRIORITY_MAX)
        val channel = NotificationChannel(CHANNEL, context.applicationInfo.loadLabel(context.packageManager), NotificationManager.IMPORTANCE_HIGH)
        channel.setSound(tone, AudioAttributes.Builder().setUsage(AudioAttributes.USAGE_NOTIFICATION_RINGTONE).build())
        notices.createNotificationChannel(channel)
        return Notification.Builder(context, CHANNEL)
    }

    private companion object {
        const val CHANNEL = "incoming"
        const val NUMBER = 2
    }
}
