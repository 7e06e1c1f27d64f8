package org.sidetone.devices

import android.content.Context
import android.hardware.camera2.CameraMetadata
import android.hardware.display.DisplayManager
import android.hardware.display.VirtualDisplay
import android.media.projection.MediaProjection
import android.os.Handler
import android.os.HandlerThread
import android.util.Size
import android.view.Display
import android.view.Surface
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.launchIn
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.update
import org.sidetone.Client
import org.sidetone.VideoFrame
import org.sidetone.VideoRotation
import org.sidetone.VideoSource
import java.util.concurrent.Executor

/** Pictures of calls: ours from the camera and the screen, theirs to the surfaces that are there. */
public class Film(private val context: Context, private val client: Client) : AutoCloseable {
    private val worker = HandlerThread("film").apply { start() }
    private val handler = Handler(worker.looper)
    private val scope = CoroutineScope(SupervisorJob() + Executor(handler::post).asCoroutineDispatcher())
    private val projectors = HashMap<VideoSource, Projector>()
    private val seen = MutableStateFlow<Map<VideoSource, Size>>(emptyMap())
    private var camera: Shown? = null
    private var screen: Shown? = null
    private var mirror: Surface? = null
    private var lines = 480

    /** How large the other side's pictures are, upright, once one of them was given. */
    public val sizes: StateFlow<Map<VideoSource, Size>> = seen.asStateFlow()

    init {
        client.video.bitrates.onEach { rates -> shown().forEach { it.encoder.setRate(rates[it.source] ?: 0uL) } }.launchIn(scope)
        client.video.keyframes.onEach { source -> shown().filter { it.source == source }.forEach { it.encoder.wantKey() } }.launchIn(scope)
        client.video.frames.onEach(::project).launchIn(scope)
    }

    /** Opens and closes the camera that looks at the user; the permission is asked for before. [lines] is what they want to see. */
    public fun setCamera(on: Boolean, lines: Int = 480): Unit = inTurn {
        if (on == (camera != null)) return@inTurn
        this.lines = lines
        camera?.close()
        camera = if (on) film(lines) else null
    }

    /** Shows the user what their camera sees on a surface, or nowhere any more: null. Waits until the old one is not used. */
    public fun mirror(surface: Surface?): Unit = waited {
        mirror = surface
        // A camera draws on what it was opened with.
        if (camera == null) return@waited
        camera?.close()
        camera = film(lines)
    }

    /** Shows the screen that the user let the app see, or no longer: null. [ended] is called if the user ends it elsewhere. */
    public fun setScreen(projection: MediaProjection?, ended: () -> Unit = {}): Unit = inTurn {
        screen?.close()
        screen = projection?.let { share(it, ended) }
    }

    /** Shows one source of the other side on a surface, or nowhere any more: null. Waits until the old one is not used. */
    public fun project(source: VideoSource, surface: Surface?): Unit = waited {
        projectors.remove(source)?.close()
        surface?.let { projectors[source] = Projector(it) }
    }

    override fun close() {
        inTurn {
            scope.cancel()
            shown().forEach(AutoCloseable::close)
            projectors.values.forEach(AutoCloseable::close)
            worker.quitSafely()
        }
    }

    private fun inTurn(act: () -> Unit) {
        handler.post(act)
    }

    private fun waited(act: () -> Unit) {
        val done = java.util.concurrent.CountDownLatch(1)
        inTurn {
            act()
            done.countDown()
        }
        done.await()
    }

    private fun shown(): List<Shown> = listOfNotNull(camera, screen)

    private fun project(frame: VideoFrame) {
        val info = frame.info
        val (wide, tall) = info.width.toInt() to info.height.toInt()
        val lies = info.rotation == VideoRotation.QUARTER || info.rotation == VideoRotation.THREE_QUARTERS
        seen.update { it + (info.source to if (lies) Size(tall, wide) else Size(wide, tall)) }
        projectors[info.source]?.show(frame)
    }

    private fun film(lines: Int): Shown? {
        val camera = Camera.find(context, CameraMetadata.LENS_FACING_FRONT) ?: return null
        val display = context.getSystemService(DisplayManager::class.java).getDisplay(Display.DEFAULT_DISPLAY)
        val encoder = encoder(VideoSource.CAMERA, camera.size(lines), camera.rotation(display.rotation))
        camera.open(listOfNotNull(encoder.surface, mirror), handler)
        return Shown(VideoSource.CAMERA, encoder, camera)
    }

    private fun share(projection: MediaProjection, ended: () -> Unit): Shown {
        val about = context.resources.displayMetrics
        // Half of it can be read, and encoders take no odd sizes.
        val size = Size(about.widthPixels / 2 and 1.inv(), about.heightPixels / 2 and 1.inv())
        val encoder = encoder(VideoSource.SCREEN, size, VideoRotation.NONE)
        projection.registerCallback(object : MediaProjection.Callback() { override fun onStop() = ended() }, handler)
        val flags = DisplayManager.VIRTUAL_DISPLAY_FLAG_AUTO_MIRROR
        val drawn: VirtualDisplay? =
            projection.createVirtualDisplay("call", size.width, size.height, about.densityDpi / 2, flags, encoder.surface, null, handler)
        return Shown(VideoSource.SCREEN, encoder) {
            drawn?.release()
            projection.stop()
        }
    }

    private fun encoder(source: VideoSource, size: Size, rotation: VideoRotation) =
        Encoder(source, size, rotation, handler, client.video::push).apply { setRate(client.video.bitrates.value[source] ?: 0uL) }

    private class Shown(val source: VideoSource, val encoder: Encoder, private val from: AutoCloseable) : AutoCloseable {
        override fun close() {
            from.close()
            encoder.close()
        }
    }
}
