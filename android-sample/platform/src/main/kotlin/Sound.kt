package org.sidetone.sample.platform

import android.annotation.SuppressLint
import android.content.Context
import android.media.*
import android.os.Process
import org.sidetone.AudioIntent
import org.sidetone.Sound
import java.nio.ByteBuffer
import kotlin.concurrent.thread

private const val RATE = 48_000

/** Ten milliseconds: 480 samples of two bytes. */
private const val BLOCK = 960

/** What [AudioIntent] asks for, done: focus, mode, and a thread that moves samples between the devices and the client. */
class SoundLoop(context: Context, private val sound: Sound) {
    private val audio = context.getSystemService(AudioManager::class.java)
    private var mover: Mover? = null
    private var focus: AudioFocusRequest? = null

    fun follow(intent: AudioIntent) {
        mover?.stop()
        mover = null
        if (intent == AudioIntent.IDLE) return rest()
        audio.mode = if (intent == AudioIntent.CALL) AudioManager.MODE_IN_COMMUNICATION else AudioManager.MODE_NORMAL
        if (android.os.Build.VERSION.SDK_INT >= 26 && focus == null) {
            focus = AudioFocusRequest.Builder(AudioManager.AUDIOFOCUS_GAIN_TRANSIENT).setAudioAttributes(VOICE).build().also(audio::requestAudioFocus)
        }
        mover = Mover(sound, microphone = intent != AudioIntent.LISTEN)
    }

    private fun rest() {
        audio.mode = AudioManager.MODE_NORMAL
        if (android.os.Build.VERSION.SDK_INT >= 26) focus?.let(audio::abandonAudioFocusRequest)
        focus = null
    }
}

private val VOICE: AudioAttributes = AudioAttributes.Builder()
    .setUsage(AudioAttributes.USAGE_VOICE_COMMUNICATION).setContentType(AudioAttributes.CONTENT_TYPE_SPEECH).build()

@SuppressLint("MissingPermission") // Asked for before a call begins: see Home.speaking.
internal fun openMicrophone(): AudioRecord {
    val least = AudioRecord.getMinBufferSize(RATE, AudioFormat.CHANNEL_IN_MONO, AudioFormat.ENCODING_PCM_16BIT)
    return AudioRecord(MediaRecorder.AudioSource.VOICE_COMMUNICATION, RATE, AudioFormat.CHANNEL_IN_MONO, AudioFormat.ENCODING_PCM_16BIT, maxOf(least, 4 * BLOCK))
}

private class Mover(private val sound: Sound, microphone: Boolean) {
    @Volatile private var on = true
    private val speaking = if (microphone) thread(name = "microphone") { speak() } else null
    private val hearing = thread(name = "speaker") { hear() }

    fun stop() {
        on = false
        speaking?.join()
        hearing.join()
    }

    private fun speak() {
        Process.setThreadPriority(Process.THREAD_PRIORITY_URGENT_AUDIO)
        val device = openMicrophone()
        val block = ByteBuffer.allocateDirect(BLOCK)
        device.startRecording()
        while (on) {
            block.clear()
            val heard = device.read(block, BLOCK)
            if (heard <= 0) break
            block.limit(heard)
            if (sound.push(block) == Sound.CLOSED) break
        }
        device.release()
    }

    private fun hear() {
        Process.setThreadPriority(Process.THREAD_PRIORITY_URGENT_AUDIO)
        val format = AudioFormat.Builder().setSampleRate(RATE).setChannelMask(AudioFormat.CHANNEL_OUT_MONO).setEncoding(AudioFormat.ENCODING_PCM_16BIT).build()
        val least = AudioTrack.getMinBufferSize(RATE, AudioFormat.CHANNEL_OUT_MONO, AudioFormat.ENCODING_PCM_16BIT)
        val device = AudioTrack(VOICE, format, maxOf(least, 2 * BLOCK), AudioTrack.MODE_STREAM, AudioManager.AUDIO_SESSION_ID_GENERATE)
        val block = ByteBuffer.allocateDirect(BLOCK)
        device.play()
        while (on) {
            block.clear()
            if (sound.pull(block) == Sound.CLOSED) break
            if (device.write(block, BLOCK, AudioTrack.WRITE_BLOCKING) < 0) break
        }
        device.release()
    }
}

/** Records into a voice note until it is closed. */
internal class Recorder(into: (ByteBuffer) -> Int) : AutoCloseable {
    @Volatile private var on = true
    private val recording = thread(name = "note") {
        val device = openMicrophone()
        val block = ByteBuffer.allocateDirect(BLOCK)
        device.startRecording()
        while (on) {
            block.clear()
            val heard = device.read(block, BLOCK)
            if (heard <= 0) break
            block.limit(heard)
            if (into(block) <= 0) break
        }
        device.release()
    }

    override fun close() {
        on = false
        recording.join()
    }
}
