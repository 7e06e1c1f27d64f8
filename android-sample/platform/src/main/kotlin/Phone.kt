package org.sidetone.sample.platform

import android.Manifest
import android.app.Activity
import android.content.Context
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import android.os.Build
import android.provider.OpenableColumns
import android.provider.Settings
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import org.sidetone.sample.logic.Device
import org.sidetone.sample.logic.Permission
import org.sidetone.sample.logic.Pick
import java.io.File
import java.nio.ByteBuffer
import java.util.Locale

/** The phone around the app. What needs a window goes through the [activity] that is shown. */
class Phone(private val context: Context) : Device {
    var activity: Activity? = null
    private val kept = context.getSharedPreferences("phone", Context.MODE_PRIVATE)
    private var permission: CompletableDeferred<Boolean>? = null
    private var picked: CompletableDeferred<Uri?>? = null

    override val language: String get() = Locale.getDefault().toLanguageTag()

    override var server: String
        get() = kept.getString("server", null) ?: "wss://meet.example"
        set(value) = kept.edit().putString("server", value).apply()

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
        val window = activity ?: return null
        val answer = CompletableDeferred<Uri?>().also { picked = it }
        val ask = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType(if (what == Pick.IMAGE) "image/*" else "*/*")
        withContext(Dispatchers.Main) { @Suppress("DEPRECATION") window.startActivityForResult(ask, ASKED) }
        return answer.await()?.let { uri -> withContext(Dispatchers.IO) { copy(uri).path } }
    }

    /** For the activity's function of this name. */
    fun onActivityResult(code: Int, result: Intent?) {
        if (code == ASKED) picked?.complete(result?.data)
    }

    override fun record(into: (ByteBuffer) -> Int): AutoCloseable = Recorder(into)

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
