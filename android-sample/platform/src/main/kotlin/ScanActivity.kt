package org.sidetone.sample.platform

import android.annotation.SuppressLint
import android.app.Activity
import android.graphics.ImageFormat
import android.graphics.SurfaceTexture
import android.hardware.camera2.*
import android.media.Image
import android.media.ImageReader
import android.os.Bundle
import android.os.Handler
import android.os.HandlerThread
import android.view.Surface
import android.view.TextureView
import com.google.zxing.PlanarYUVLuminanceSource
import org.sidetone.sample.logic.decode

/** Looks for a QR code through the camera and closes when there is one. */
class ScanActivity : Activity(), TextureView.SurfaceTextureListener {
    private val worker = HandlerThread("scan").apply { start() }
    private val handler = Handler(worker.looper)
    private val reader = ImageReader.newInstance(WIDTH, HEIGHT, ImageFormat.YUV_420_888, 2)
    private var camera: CameraDevice? = null

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        setContentView(TextureView(this).also { it.surfaceTextureListener = this })
        reader.setOnImageAvailableListener({ it.acquireLatestImage()?.use(::look) }, handler)
    }

    @SuppressLint("MissingPermission") // Asked for before this is shown.
    override fun onSurfaceTextureAvailable(texture: SurfaceTexture, width: Int, height: Int) {
        texture.setDefaultBufferSize(WIDTH, HEIGHT)
        val cameras = getSystemService(CameraManager::class.java)
        val back = cameras.cameraIdList.firstOrNull { cameras.getCameraCharacteristics(it)[CameraCharacteristics.LENS_FACING] == CameraMetadata.LENS_FACING_BACK }
        cameras.openCamera(back ?: return finish(), Opened(Surface(texture)), handler)
    }

    override fun onSurfaceTextureSizeChanged(texture: SurfaceTexture, width: Int, height: Int) = Unit

    override fun onSurfaceTextureDestroyed(texture: SurfaceTexture) = true

    override fun onSurfaceTextureUpdated(texture: SurfaceTexture) = Unit

    override fun onDestroy() {
        camera?.close()
        reader.close()
        worker.quitSafely()
        super.onDestroy()
    }

    private fun look(image: Image) {
        val plane = image.planes[0]
        val light = ByteArray(plane.buffer.remaining()).also(plane.buffer::get)
        val code = decode(PlanarYUVLuminanceSource(light, plane.rowStride, image.height, 0, 0, image.width, image.height, false)) ?: return
        runOnUiThread {
            onCode?.invoke(code)
            onCode = null
            finish()
        }
    }

    private inner class Opened(private val preview: Surface) : CameraDevice.StateCallback() {
        override fun onOpened(device: CameraDevice) {
            camera = device
            show(device, listOf(preview, reader.surface), handler, CameraDevice.TEMPLATE_PREVIEW)
        }

        override fun onDisconnected(device: CameraDevice) = finish()

        override fun onError(device: CameraDevice, error: Int) = finish()
    }

    companion object {
        private const val WIDTH = 1280
        private const val HEIGHT = 720

        /** Where the code goes. */
        var onCode: ((ByteArray) -> Unit)? = null
    }
}

/** Lets a camera draw on these surfaces until it is closed. */
@Suppress("DEPRECATION") // The newer way is there from Android 9 on.
internal fun show(device: CameraDevice, surfaces: List<Surface>, handler: Handler, template: Int) {
    device.createCaptureSession(
        surfaces,
        object : CameraCaptureSession.StateCallback() {
            override fun onConfigured(session: CameraCaptureSession) {
                val request = device.createCaptureRequest(template).apply { surfaces.forEach(::addTarget) }.build()
                session.setRepeatingRequest(request, null, handler)
            }

            override fun onConfigureFailed(session: CameraCaptureSession) = device.close()
        },
        handler,
    )
}
