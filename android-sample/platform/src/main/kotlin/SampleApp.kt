package org.sidetone.sample.platform

import android.app.Activity
import android.app.Application
import android.content.Intent
import android.os.Build
import android.os.Bundle
import kotlinx.coroutines.*
import kotlinx.coroutines.flow.distinctUntilChanged
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.map
import org.sidetone.*
import org.sidetone.devices.Film
import org.sidetone.devices.NetworkWatch
import org.sidetone.devices.SoundLoop
import org.sidetone.devices.Telecom
import org.sidetone.sample.logic.Permission
import org.sidetone.sample.logic.Sample
import org.sidetone.sample.logic.Stage

/** One client for the life of the process, and what the phone has to do with it. */
class SampleApp : Application() {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Main.immediate)
    private val bell by lazy { Bell(this) }
    lateinit var phone: Phone
        private set
    lateinit var sample: Sample
        private set

    override fun onCreate() {
        super.onCreate()
        phone = Phone(this)
        sample = Sample(scope, phone) { Client.open(options(), phone.store.vault).also(::attend) }
        registerActivityLifecycleCallbacks(Seen())
        scope.launch { sample.start() }
    }

    private fun options() = ClientOptions(phone.server, phone.store.file, phone.store.downloads)

    private var attending: Job? = null

    /** What the client asks of the phone, and the phone tells the client. */
    private fun attend(client: Client) {
        attending?.cancel()
        attending = scope.launch {
            val network = NetworkWatch(this@SampleApp, client::networkChanged).apply { start() }
            val film = Film(this@SampleApp, client).also { phone.film = it }
            try {
                coroutineScope { follow(client) }
            } finally {
                network.stop()
                phone.film = null
                film.close()
            }
        }
    }

    private fun CoroutineScope.follow(client: Client) {
        val sound = SoundLoop(this@SampleApp, client.sound)
        val telecom = if (Build.VERSION.SDK_INT >= 26) Telecom(this@SampleApp) else null
        launch { client.audio.collect { intent -> withContext(Dispatchers.IO) { sound.follow(intent) } } }
        launch { client.audio.map { it != AudioIntent.IDLE }.distinctUntilChanged().collect(::keepAlive) }
        launch { client.calls.collect { tell(client, telecom) } }
    }

    private fun keepAlive(on: Boolean) {
        if (on) CallService.start(this) else CallService.stop(this)
    }

    /** Opens the camera and waits for a code. */
    val scanner: ((String) -> Unit) -> Unit = { onCode ->
        scope.launch {
            if (phone.allows(Permission.CAMERA)) {
                ScanActivity.onCode = onCode
                startActivity(Intent(this@SampleApp, ScanActivity::class.java).addFlags(Intent.FLAG_ACTIVITY_NEW_TASK))
            } else {
                sample.home?.forbidden(Permission.CAMERA)
            }
        }
    }

    /** A link was followed; it waits until the app is open. */
    fun open(link: String) {
        scope.launch {
            sample.state.first { it is Stage.Home }
            sample.home?.open(link)
        }
    }

    /** Somebody calls while this phone sleeps; done once it rings. */
    fun wake(): Job = scope.launch { sample.wake() }

    private var isCalled = false

    /** A call is seen over the lock screen, and nothing else is. */
    private fun cover(activity: Activity?) {
        if (Build.VERSION.SDK_INT < 27) return
        activity?.setShowWhenLocked(isCalled)
        activity?.setTurnScreenOn(isCalled)
    }

    private val told = HashSet<CallId>()

    private fun tell(client: Client, telecom: Telecom?) {
        val coming = client.calls.value.firstOrNull { CallChoice.ANSWER in it.choices }
        isCalled = client.calls.value.any { it.choices.isNotEmpty() }
        cover(phone.activity)
        if (coming == null) bell.rest() else bell.ring(client.friends.value.find { it.user == coming.peer }?.name.orEmpty())
        val fresh = client.calls.value.filter { told.add(it.call) }
        fresh.forEach { view -> telecom?.tell(client.of(view), client.friends.value.find { it.user == view.peer }?.name.orEmpty(), scope) }
    }

    /** Foreground and background, by the windows that are seen. */
    private inner class Seen : ActivityLifecycleCallbacks {
        private var windows = 0

        override fun onActivityStarted(activity: Activity) {
            phone.activity = activity
            if (windows++ == 0) scope.launch { sample.client().onForeground() }
        }

        override fun onActivityStopped(activity: Activity) {
            if (--windows == 0) scope.launch { sample.client().onBackground() }
        }

        override fun onActivityDestroyed(activity: Activity) {
            if (phone.activity === activity) phone.activity = null
        }

        override fun onActivityCreated(activity: Activity, state: Bundle?) = cover(activity)

        override fun onActivityResumed(activity: Activity) = Unit

        override fun onActivityPaused(activity: Activity) = Unit

        override fun onActivitySaveInstanceState(activity: Activity, state: Bundle) = Unit
    }
}
