package org.sidetone.sample.desktop

import com.google.zxing.RGBLuminanceSource
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.emptyFlow
import kotlinx.coroutines.withContext
import org.sidetone.KeyVault
import org.sidetone.PushAddress
import org.sidetone.Sound
import org.sidetone.VaultProblem
import org.sidetone.sample.logic.Device
import org.sidetone.sample.logic.Permission
import org.sidetone.sample.logic.Pick
import org.sidetone.sample.logic.Store
import org.sidetone.sample.logic.decode
import java.awt.FileDialog
import java.awt.Frame
import java.awt.Toolkit
import java.awt.datatransfer.StringSelection
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.SecureRandom
import java.util.Locale
import java.util.concurrent.locks.LockSupport
import javax.imageio.ImageIO
import javax.sound.sampled.AudioFormat
import javax.sound.sampled.AudioSystem
import javax.sound.sampled.LineUnavailableException
import javax.sound.sampled.SourceDataLine
import javax.sound.sampled.TargetDataLine
import kotlin.concurrent.thread
import kotlin.math.abs

/** Ten milliseconds. */
private const val BLOCK = 960

private val FORM = AudioFormat(48_000f, 16, 1, true, ByteOrder.nativeOrder() == ByteOrder.BIG_ENDIAN)

/** A desk in the place of a phone. */
class Desktop(override var server: String, private val folder: File, private val voice: File?) : Device {
    override val store = Store(File(folder, "desktop.db").path, FileVault(File(folder, "desktop.key")), File(folder, "received").path)

    /** A desk does not sleep. */
    override val reach = MutableStateFlow<PushAddress?>(null)

    override fun subscribe(key: ByteArray) = Unit

    override val language: String get() = Locale.getDefault().toLanguageTag()
    @Volatile private var moving: Thread? = null

    /** The loudest that was said to us yet, of 32,768. */
    @Volatile var loudest = 0
        private set

    override suspend fun allows(permission: Permission) = permission != Permission.CAMERA

    override fun openPermissions() = Unit

    override suspend fun pick(what: Pick): String? = withContext(Dispatchers.IO) { chosen() }

    override fun record(into: (ByteBuffer) -> Int): AutoCloseable {
        val mouth = Mouth(voice)
        var on = true
        val recording = thread(name = "note") {
            val block = block()
            while (on && mouth.read(block)) into(block)
        }
        return AutoCloseable {
            on = false
            recording.join()
            mouth.close()
        }
    }

    override fun open(path: String, mime: String) = java.awt.Desktop.getDesktop().open(File(path))

    override fun share(text: String) = Toolkit.getDefaultToolkit().systemClipboard.setContents(StringSelection(text), null)

    override fun setCamera(on: Boolean, lines: Int) = Unit

    override suspend fun shareScreen() = false

    override fun stopScreen() = Unit

    override val screenEnds: Flow<Unit> = emptyFlow()

    override fun exportFolder(): String = File(folder, "export-${System.currentTimeMillis()}").path

    /** Reads the code in a picture of it: a desk's camera. */
    fun scan(onCode: (String) -> Unit) {
        val picture = ImageIO.read(File(chosen() ?: return)) ?: return
        val pixels = picture.getRGB(0, 0, picture.width, picture.height, null, 0, picture.width)
        decode(RGBLuminanceSource(picture.width, picture.height, pixels))?.let(onCode)
    }

    /** Moves sound between this machine and the client until it is quiet again. */
    fun move(sound: Sound) {
        if (moving != null) return
        moving = thread(name = "sound") {
            val (mouth, ear) = Mouth(voice) to speaker()
            val (spoken, heard) = block() to block()
            val bytes = ByteArray(BLOCK)
            while (moving === Thread.currentThread()) {
                if (!mouth.read(spoken) || sound.push(spoken) < 0) break
                sound.pull(heard)
                heard.get(0, bytes)
                loudest = maxOf(loudest, (0 until BLOCK / 2).maxOf { abs(heard.getShort(2 * it).toInt()) })
                ear?.write(bytes, 0, BLOCK)
            }
            mouth.close()
            ear?.close()
        }
    }

    fun quiet() {
        moving = null
    }

    private fun chosen(): String? = FileDialog(null as Frame?).apply { isVisible = true }.files.firstOrNull()?.path

    private fun speaker(): SourceDataLine? = try {
        AudioSystem.getSourceDataLine(FORM).apply { open(FORM, 8 * BLOCK); start() }
    } catch (_: LineUnavailableException) {
        null
    } catch (_: IllegalArgumentException) {
        null
    }
}

private fun block(): ByteBuffer = ByteBuffer.allocateDirect(BLOCK).order(ByteOrder.nativeOrder())

/** A microphone, or a recording said over and over; without either it is silent, in time all the same. */
private class Mouth(voice: File?) : AutoCloseable {
    private val said: ByteArray? = voice?.let { file -> AudioSystem.getAudioInputStream(FORM, AudioSystem.getAudioInputStream(file)).use { it.readAllBytes() } }
    private val line: TargetDataLine? = if (said != null) null else microphone()
    private val bytes = ByteArray(BLOCK)
    private var at = 0
    private var next = System.nanoTime()

    fun read(into: ByteBuffer): Boolean {
        if (line != null) {
            if (line.read(bytes, 0, BLOCK) != BLOCK) return false
        } else {
            said?.let { for (i in 0 until BLOCK) bytes[i] = it[(at + i) % it.size] }
            at += BLOCK
            next += 10_000_000
            LockSupport.parkNanos(next - System.nanoTime())
        }
        into.clear()
        into.put(bytes).flip()
        return true
    }

    override fun close() {
        line?.close()
    }

    private fun microphone(): TargetDataLine? = try {
        AudioSystem.getTargetDataLine(FORM).apply { open(FORM, 8 * BLOCK); start() }
    } catch (_: LineUnavailableException) {
        null
    } catch (_: IllegalArgumentException) {
        null
    }
}

/** A key in a file beside the store: enough to try the app, and no more. */
class FileVault(private val file: File) : KeyVault {
    override fun loadOrCreate(): ByteArray {
        if (!file.exists()) file.writeBytes(ByteArray(32).also(SecureRandom()::nextBytes))
        return file.readBytes().also { if (it.size != 32) throw VaultProblem.Lost() }
    }

    override fun forgetKey() {
        file.delete()
    }
}
