package org.sidetone.devices

import android.annotation.SuppressLint
import android.content.Context
import android.media.AudioAttributes
import android.media.AudioFocusRequest
import android.media.AudioFormat
import android.media.AudioManager
import android.media.AudioRecord
import android.media.AudioTrack
import android.media.MediaRecorder
import android.os.Build
import android.os.Process
import org.sidetone.AudioIntent
import org.sidetone.Sound
import java.nio.ByteBuffer
import kotlin.concurrent.thread

private const val RATE = 48_000

/** Ten milliseconds: 480 samples of two bytes. */
private const val BLOCK = 960

private val VOICE: AudioAttributes = AudioAttributes.Builder()
    .setUsage(AudioAttributes.USAGE_VOICE_COMMUNICATION).setContentType(AudioAttributes.CONTENT_TYPE_SPEECH).build()

/** What `Client.audio` asks for, done: focus, mode, and the threads that move samples between the devices and the client. */
public class SoundLoop(context: Context, private val sound: Sound) {
    private val audio = context.getSystemService(AudioManager::class.java)
    private var running: List<AutoCloseable> = emptyList()
    private var focus: AudioFocusRequest? = null

    /** Sets everything to what is wanted from now on; waits until the devices of before are closed. */
    public fun follow(intent: AudioIntent) {
        running.forEach(AutoCloseable::close)
        running = emptyList()
        if (intent == AudioIntent.IDLE) return rest()
        audio.mode = if (intent == AudioIntent.CALL) AudioManager.MODE_IN_COMMUNICATION else AudioManager.MODE_NORMAL
        if (Build.VERSION.SDK_INT >= 26 && focus == null) {
            focus = AudioFocusRequest.Builder(AudioManager.AUDIOFOCUS_GAIN_TRANSIENT).setAudioAttributes(VOICE).build().also(audio::requestAudioFocus)
        }
        val microphone = if (intent == AudioIntent.LISTEN) null else Microphone { sound.push(it) != Sound.CLOSED }
        running = listOfNotNull(microphone, Speaker(sound))
    }

    private fun rest() {
        audio.mode = AudioManager.MODE_NORMAL
        if (Build.VERSION.SDK_INT >= 26) focus?.let(audio::abandonAudioFocusRequest)
        focus = null
    }
}

/**
 * The microphone, on a thread of its own: gives ten milliseconds at a time in a direct buffer until it is closed or [into]
 * answers false. Echo is cancelled. The permission is asked for before.
 */
public class Microphone(private val into: (ByteBuffer) -> Boolean) : AutoCloseable {
    @Volatile private var on = true
    private val moving = thread(name = "microphone") { move() }

    override fun close() {
        on = false
        moving.join()
    }

    @SuppressLint("MissingPermission")
    private fun move() {
        Process.setThreadPriority(Process.THREAD_PRIORITY_URGENT_AUDIO)
        val (channel, form) = AudioFormat.CHANNEL_IN_MONO to AudioFormat.ENCODING_PCM_16BIT
        val room = maxOf(AudioRecord.getMinBufferSize(RATE, channel, form), 4 * BLOCK)
        val device = AudioRecord(MediaRecorder.AudioSource.VOICE_COMMUNICATION, RATE, channel, form, room)
        val block = ByteBuffer.allocateDirect(BLOCK)
        // Another app may hold the microphone.
        if (device.state == AudioRecord.STATE_INITIALIZED) device.startRecording()
        while (on) {
            block.clear()
            val heard = device.read(block, BLOCK)
            if (heard <= 0) break
            block.limit(heard)
            if (!into(block)) break
        }
        device.release()
    }
}

/** The speaker, on a thread of its own until it is closed. */
private class Speaker(private val sound: Sound) : AutoCloseable {
    @Volatile private var on = true
    private val moving = thread(name = "speaker") { move() }

    override fun close() {
        on = false
        moving.join()
    }

    private fun move() {
        Process.setThreadPriority(Process.THREAD_PRIORITY_URGENT_AUDIO)
        val (channel, form) = AudioFormat.CHANNEL_OUT_MONO to AudioFormat.ENCODING_PCM_16BIT
        val format = AudioFormat.Builder().setSampleRate(RATE).setChannelMask(channel).setEncoding(form).build()
        val room = maxOf(AudioTrack.getMinBufferSize(RATE, channel, form), 2 * BLOCK)
        val device = AudioTrack(VOICE, format, room, AudioTrack.MODE_STREAM, AudioManager.AUDIO_SESSION_ID_GENERATE)
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
