package org.sidetone.sample.platform

import android.Manifest
import android.app.Activity
import android.content.Context
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import android.os.Build
import android.media.projection.MediaProjectionManager
import android.provider.OpenableColumns
import android.provider.Settings
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableSharedFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asSharedFlow
import kotlinx.coroutines.withContext
import org.sidetone.PushAddress
import org.sidetone.devices.Film
import org.sidetone.devices.Microphone
import org.sidetone.devices.Vault
import org.sidetone.sample.logic.Device
import org.sidetone.sample.logic.Permission
import org.sidetone.sample.logic.Pick
import org.sidetone.sample.logic.Store
import java.io.File
import java.nio.ByteBuffer
import java.util.Locale

/** The phone around the app. What needs a window goes through the [activity] that is shown. */
class Phone(private val context: Context) : Device {
    var activity: Activity? = null
    private val kept = context.getSharedPreferences("phone", Context.MODE_PRIVATE)
    private var permission: CompletableDeferred<Boolean>? = null
    private var picked: CompletableDeferred<Intent?>? = null
    private val ends = MutableSharedFlow<Unit>(extraBufferCapacity = 1)

    /** Pictures of calls, while a client is open. */
    var film: Film? = null
    private var camera = false

    override val language: String get() = Locale.getDefault().toLanguageTag()

    override var server: String
        get() = kept.getString("server", null) ?: "wss://meet.example"
        set(value) = kept.edit().putString("server", value).apply()

    override val store = Store(File(context.noBackupFilesDir, "store.db").path, Vault(File(context.noBackupFilesDir, "store.key")), File(context.filesDir, Files.FOLDER).path)

    private val waking = Reach(context)

    override val reach: StateFlow<PushAddress?> = waking.address

    override fun subscribe(key: ByteArray) = waking.subscribe(key)

    /** Whether what an app said wakes this one. */
    fun heard(said: Intent): Boolean = waking.hear(said)

    override suspend fun allows(permission: Permission): Boolean {
        val name = nameOf(permission) ?: return true
        if (context.checkSelfPermission(name) == PackageManager.PERMISSION_GRANTED) return true
        val window = activity ?: return false
        val answer = CompletableDeferred<Boolean>().also { this.permission = it }
        withContext(Dispatchers.Main) { window.requestPermissions(arrayOf(name), ASKED) }
        return answer.await()
    }

    /** For the activity's function of this name. */
    fun onRequestPermissionsResult(code: Int, answers: IntArray) {
        if (code == ASKED) permission?.complete(answers.firstOrNull() == PackageManager.PERMISSION_GRANTED)
    }

    override fun openPermissions() = start(Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, Uri.fromParts("package", context.packageName, null)))

    override suspend fun pick(what: Pick): String? {
        val kinds = if (what == Pick.IMAGE) "image/*" else "*/*"
        val answer = ask(Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType(kinds))
        return answer?.data?.let { uri -> withContext(Dispatchers.IO) { copy(uri).path } }
    }

    /** For the activity's function of this name. */
    fun onActivityResult(code: Int, result: Intent?) {
        if (code == ASKED) picked?.complete(result)
    }

    /** Asks the person for something that another app or the system gives. */
    private suspend fun ask(intent: Intent): Intent? {
        val window = activity ?: return null
        val answer = CompletableDeferred<Intent?>().also { picked = it }
        withContext(Dispatchers.Main) { @Suppress("DEPRECATION") window.startActivityForResult(intent, ASKED) }
        return answer.await()
    }

    override fun setCamera(on: Boolean, lines: Int) {
        if (on && !camera) CallService.start(context, camera = true)
        camera = on
        film?.setCamera(on, lines.coerceIn(1, LINES))
    }

    override suspend fun shareScreen(): Boolean {
        val projections = context.getSystemService(MediaProjectionManager::class.java)
        val allowed = ask(projections.createScreenCaptureIntent()) ?: return false
        // From Android 10 on the service comes first.
        CallService.start(context, camera, screen = true)
        film?.setScreen(projections.getMediaProjection(Activity.RESULT_OK, allowed)) { ends.tryEmit(Unit) }
        return true
    }

    override fun stopScreen() {
        film?.setScreen(null)
    }

    override val screenEnds: Flow<Unit> = ends.asSharedFlow()

    override fun record(into: (ByteBuffer) -> Int): AutoCloseable = Microphone { into(it) > 0 }

    override fun open(path: String, mime: String) {
        if (mime.startsWith("audio/")) return player.play(path)
        val shown = Uri.parse("content://${context.packageName}.files/" + Uri.encode(File(path).name))
        start(Intent(Intent.ACTION_VIEW).setDataAndType(shown, mime).addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION))
    }

    override fun share(text: String) = start(Intent.createChooser(Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, text), null))

    override fun exportFolder(): String = File(context.getExternalFilesDir(null), "export-${System.currentTimeMillis()}").path

    private val player = Player()

    private fun start(intent: Intent) {
        (activity ?: context).startActivity(intent.addFlags(if (activity == null) Intent.FLAG_ACTIVITY_NEW_TASK else 0))
    }

    /** A copy that stays as it is until it is sent, as Chat.sendFile asks. */
    private fun copy(uri: Uri): File {
        val name = context.contentResolver.query(uri, arrayOf(OpenableColumns.DISPLAY_NAME), null, null, null)?.use { if (it.moveToFirst()) it.getString(0) else null }
        val folder = File(context.filesDir, "sent/${System.currentTimeMillis()}").apply { mkdirs() }
        val file = File(folder, File(name ?: "file").name)
        context.contentResolver.openInputStream(uri)!!.use { from -> file.outputStream().use { from.copyTo(it) } }
        return file
    }

    private fun nameOf(permission: Permission): String? = when (permission) {
        Permission.MICROPHONE -> Manifest.permission.RECORD_AUDIO
        Permission.CAMERA -> Manifest.permission.CAMERA
        Permission.NOTIFICATIONS -> if (Build.VERSION.SDK_INT >= 33) Manifest.permission.POST_NOTIFICATIONS else null
    }

    private companion object {
        const val ASKED = 7
        const val LINES = 480
    }
}

/** Plays one voice note at a time. */
private class Player {
    private var playing: android.media.MediaPlayer? = null

    fun play(path: String) {
        playing?.release()
        playing = android.media.MediaPlayer().apply {
            setDataSource(path)
            setOnCompletionListener { it.release(); playing = null }
            prepare()
            start()
        }
    }
}
