package org.sidetone.sample.platform

import android.app.PendingIntent
import android.content.BroadcastReceiver
import android.content.Context
import android.content.Intent
import android.util.Base64
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import org.sidetone.PushAddress
import java.security.KeyPairGenerator
import java.security.SecureRandom
import java.security.interfaces.ECPublicKey
import java.security.spec.ECGenParameterSpec
import java.util.UUID

/** Where this phone is woken: by the first app on it that speaks UnifiedPush (unifiedpush.org, AND_3), if there is one. */
class Reach(private val context: Context) {
    private val kept = context.getSharedPreferences("push", Context.MODE_PRIVATE)
    private val latest = MutableStateFlow(read())

    val address: StateFlow<PushAddress?> = latest.asStateFlow()

    fun subscribe(key: ByteArray) {
        val distributor = context.packageManager.queryBroadcastReceivers(Intent(REGISTER), 0).firstOrNull()?.activityInfo?.packageName ?: return
        val sender = PendingIntent.getBroadcast(context, 0, Intent(MESSAGE).setPackage(context.packageName), PendingIntent.FLAG_IMMUTABLE)
        context.sendBroadcast(
            Intent(REGISTER).setPackage(distributor).putExtra("token", token()).putExtra("application", context.packageName).putExtra("pi", sender)
                .putExtra("vapid", code(key)).putExtra("message", context.applicationInfo.loadLabel(context.packageManager).toString()),
        )
    }

    /** What an app says that has our token; whether it is a wake-up. */
    fun hear(said: Intent): Boolean {
        val token = kept.getString(TOKEN, null) ?: return false
        if (said.getStringExtra("token") != token) return false
        when (said.action) {
            ENDPOINT -> kept.edit().putString(URL, said.getStringExtra("endpoint")).apply()
            UNREGISTERED -> kept.edit().clear().apply()
        }
        latest.value = read()
        return said.action == MESSAGE
    }

    private fun read(): PushAddress? = kept.getString(URL, null)?.let { PushAddress.Web(it, bytes(KEY), bytes(AUTH)) }

    /** Chosen once, with the key of which the other half is thrown away: what comes along means nothing. */
    private fun token(): String = kept.getString(TOKEN, null) ?: UUID.randomUUID().toString().also {
        val point = KeyPairGenerator.getInstance("EC").run { initialize(ECGenParameterSpec("secp256r1")); generateKeyPair().public as ECPublicKey }.w
        val key = byteArrayOf(4) + listOf(point.affineX, point.affineY).map { it.toByteArray().takeLast(32).toByteArray() }.fold(byteArrayOf()) { all, one -> all + ByteArray(32 - one.size) + one }
        val auth = ByteArray(16).also(SecureRandom()::nextBytes)
        kept.edit().putString(TOKEN, it).putString(KEY, code(key)).putString(AUTH, code(auth)).apply()
    }

    private fun bytes(name: String) = Base64.decode(kept.getString(name, null), Base64.URL_SAFE)

    private fun code(bytes: ByteArray) = Base64.encodeToString(bytes, Base64.URL_SAFE or Base64.NO_PADDING or Base64.NO_WRAP)

    companion object {
        private const val REGISTER = "org.unifiedpush.android.distributor.REGISTER"
        private const val ENDPOINT = "org.unifiedpush.android.connector.NEW_ENDPOINT"
        private const val MESSAGE = "org.unifiedpush.android.connector.MESSAGE"
        private const val UNREGISTERED = "org.unifiedpush.android.connector.UNREGISTERED"
        private const val TOKEN = "token"
        private const val URL = "url"
        private const val KEY = "key"
        private const val AUTH = "auth"
    }
}

/** What an app that wakes others sends; the process was begun for it, if there was none. */
class Waker : BroadcastReceiver() {
    override fun onReceive(context: Context, intent: Intent) {
        val app = context.applicationContext as SampleApp
        if (!app.phone.heard(intent)) return
        // A process with nothing to do is frozen or ended, and this one connects first: from the ring on Telecom holds it.
        val broadcast = goAsync()
        app.wake().invokeOnCompletion { broadcast.finish() }
    }
}
