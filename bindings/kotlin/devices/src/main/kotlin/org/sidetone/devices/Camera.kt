package org.sidetone.devices

import android.annotation.SuppressLint
import android.content.Context
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CameraMetadata
import android.media.MediaCodec
import android.os.Handler
import android.util.Size
import android.view.Surface
import org.sidetone.VideoRotation

/** One camera of the phone, by camera2. */
public class Camera private constructor(private val cameras: CameraManager, private val id: String) : AutoCloseable {
    private val about = cameras.getCameraCharacteristics(id)
    private var device: CameraDevice? = null
    private var closed = false

    /** What it can give to an encoder, nearest to so many lines and not above, unless there is nothing smaller. */
    public fun size(lines: Int): Size = nearest(
        about[CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP]?.getOutputSizes(MediaCodec::class.java).orEmpty().asList(), lines,
    )

    /** How its pictures have to be turned while the screen is turned so, as `Display.getRotation` says. */
    public fun rotation(display: Int): VideoRotation = turned(
        about[CameraCharacteristics.SENSOR_ORIENTATION] ?: 0, display,
        about[CameraCharacteristics.LENS_FACING] == CameraMetadata.LENS_FACING_FRONT,
    )

    /** Opens it and draws on these surfaces until it is closed. The permission is asked for before. */
    @SuppressLint("MissingPermission")
    public fun open(surfaces: List<Surface>, handler: Handler, template: Int = CameraDevice.TEMPLATE_RECORD, lost: () -> Unit = {}) {
        cameras.openCamera(
            id,
            object : CameraDevice.StateCallback() {
                override fun onOpened(camera: CameraDevice) {
                    device = camera
                    if (closed) camera.close() else draw(camera, surfaces, handler, template)
                }

                override fun onDisconnected(camera: CameraDevice) = onError(camera, 0)

                override fun onError(camera: CameraDevice, error: Int) {
                    camera.close()
                    lost()
                }
            },
            handler,
        )
    }

    override fun close() {
        closed = true
        device?.close()
    }

    @Suppress("DEPRECATION") // The newer way is there from Android 9 on.
    private fun draw(camera: CameraDevice, surfaces: List<Surface>, handler: Handler, template: Int) = camera.createCaptureSession(
        surfaces,
        object : CameraCaptureSession.StateCallback() {
            override fun onConfigured(session: CameraCaptureSession) {
                val request = camera.createCaptureRequest(template).apply { surfaces.forEach(::addTarget) }.build()
                session.setRepeatingRequest(request, null, handler)
            }

            override fun onConfigureFailed(session: CameraCaptureSession) = camera.close()
        },
        handler,
    )

    public companion object {
        /** The first camera that looks this way (`LENS_FACING_FRONT`, `LENS_FACING_BACK`), or any; null where there is none. */
        public fun find(context: Context, facing: Int): Camera? {
            val cameras = context.getSystemService(CameraManager::class.java)
            val all = cameras.cameraIdList
            val one = all.firstOrNull { cameras.getCameraCharacteristics(it)[CameraCharacteristics.LENS_FACING] == facing } ?: all.firstOrNull()
            return one?.let { Camera(cameras, it) }
        }

        /** A sensor's picture is turned by what the sensor is, and by how the phone is held. */
        internal fun turned(sensor: Int, display: Int, front: Boolean): VideoRotation {
            val held = display * 90
            val turn = if (front) sensor + held else sensor - held
            return VideoRotation.entries[Math.floorMod(turn, 360) / 90]
        }

        internal fun nearest(sizes: List<Size>, lines: Int): Size {
            val (fitting, larger) = sizes.partition { it.height <= lines }
            return fitting.maxByOrNull { it.height * 10_000 + it.width.coerceAtMost(it.height * 16 / 9) }
                ?: larger.minByOrNull { it.height } ?: Size(640, 480)
        }
    }
}
