package org.sidetone.devices

import android.annotation.SuppressLint
import android.annotation.TargetApi
import android.content.ComponentName
import android.content.Context
import android.net.Uri
import android.os.Bundle
import android.telecom.*
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.launch
import org.sidetone.Call
import org.sidetone.CallDirection
import org.sidetone.CallEnd
import org.sidetone.CallState
import org.sidetone.SidetoneException

/** The system's view of our calls: headsets, cars, watches, and calls of other apps (from Android 8 on). */
@TargetApi(26)
class Telecom(private val context: Context) {
    private val telecom = context.getSystemService(TelecomManager::class.java)
    private val account = PhoneAccountHandle(ComponentName(context, TelecomService::class.java), "sidetone")

    init {
        val label = context.applicationInfo.loadLabel(context.packageManager)
        telecom.registerPhoneAccount(PhoneAccount.builder(account, label).setCapabilities(PhoneAccount.CAPABILITY_SELF_MANAGED).build())
    }

    /** Tells the system of a call; it answers by [TelecomService]. */
    @SuppressLint("MissingPermission") // MANAGE_OWN_CALLS is in the manifest and given at install time.
    fun tell(call: Call, name: String, scope: CoroutineScope) {
        waiting[call.id.hex] = Told(call, name, scope)
        val about = Bundle().apply { putString(CALL, call.id.hex) }
        val address = Uri.fromParts("sidetone", name, null)
        if (call.direction == CallDirection.INCOMING) {
            telecom.addNewIncomingCall(account, Bundle().apply { putBundle(TelecomManager.EXTRA_INCOMING_CALL_EXTRAS, about) })
        } else {
            val extras = Bundle().apply {
                putParcelable(TelecomManager.EXTRA_PHONE_ACCOUNT_HANDLE, account)
                putBundle(TelecomManager.EXTRA_OUTGOING_CALL_EXTRAS, about)
            }
            telecom.placeCall(address, extras)
        }
    }

    internal class Told(val call: Call, val name: String, val scope: CoroutineScope)

    companion object {
        internal const val CALL = "call"
        internal val waiting = HashMap<String, Told>()
    }
}

/** Where the system asks for the connection of a call that it was told of. */
@TargetApi(26)
class TelecomService : ConnectionService() {
    override fun onCreateIncomingConnection(account: PhoneAccountHandle?, request: ConnectionRequest): Connection? = connection(request)

    override fun onCreateOutgoingConnection(account: PhoneAccountHandle?, request: ConnectionRequest): Connection? = connection(request)

    private fun connection(request: ConnectionRequest): Connection? {
        val extras = request.extras ?: return null
        val about = extras.getBundle(TelecomManager.EXTRA_INCOMING_CALL_EXTRAS) ?: extras
        val told = Telecom.waiting.remove(about.getString(Telecom.CALL)) ?: return Connection.createCanceledConnection()
        return TelecomCall(told)
    }
}

/** One call as the system sees it: follows ours, and hands the system's wishes on. */
@TargetApi(26)
internal class TelecomCall(private val told: Telecom.Told) : Connection() {
    init {
        connectionProperties = PROPERTY_SELF_MANAGED
        audioModeIsVoip = true
        setCallerDisplayName(told.name, TelecomManager.PRESENTATION_ALLOWED)
        told.scope.launch { told.call.view.collect { follow(it.state) } }
    }

    override fun onAnswer() = ask { told.call.answer() }

    override fun onReject() = ask { told.call.decline() }

    override fun onDisconnect() = ask { told.call.hangUp() }

    private fun follow(state: CallState) {
        when (state) {
            is CallState.Ringing -> if (told.call.direction == CallDirection.INCOMING) setRinging() else setDialing()
            is CallState.Connecting -> setInitialized()
            is CallState.Connected, is CallState.Reconnecting -> setActive()
            is CallState.Ended -> {
                setDisconnected(DisconnectCause(causeOf(state.reason)))
                destroy()
            }
        }
    }

    private fun ask(what: suspend () -> Unit) {
        told.scope.launch {
            try {
                what()
            } catch (_: SidetoneException) {
                // It is over already: the view says so.
            }
        }
    }
}

internal fun causeOf(end: CallEnd): Int = when (end) {
    is CallEnd.HungUp, is CallEnd.SignedOut -> DisconnectCause.LOCAL
    is CallEnd.PeerHungUp, is CallEnd.PeerForgot -> DisconnectCause.REMOTE
    is CallEnd.Declined, is CallEnd.PeerDeclined -> DisconnectCause.REJECTED
    is CallEnd.PeerBusy -> DisconnectCause.BUSY
    is CallEnd.Missed -> DisconnectCause.MISSED
    is CallEnd.Cancelled, is CallEnd.Unanswered, is CallEnd.Merged -> DisconnectCause.CANCELED
    is CallEnd.Unreachable, is CallEnd.ConnectionLost, is CallEnd.NotTrusted -> DisconnectCause.ERROR
}
