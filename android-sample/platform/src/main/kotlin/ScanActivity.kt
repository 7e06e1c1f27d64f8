package org.sidetone.sample.platform

import android.app.Activity
import android.graphics.ImageFormat
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraMetadata
import android.media.Image
import android.media.ImageReader
import android.os.Bundle
import android.os.Handler
import android.os.HandlerThread
import android.view.Surface
import android.view.TextureView
import com.google.zxing.PlanarYUVLuminanceSource
import org.sidetone.devices.Camera
import org.sidetone.sample.logic.decode

/** Looks for a QR code through the camera and closes when there is one. */
class ScanActivity : Activity(), TextureView.SurfaceTextureListener {
    private val worker = HandlerThread("scan").apply { start() }
    private val handler = Handler(worker.looper)
    private val reader = ImageReader.newInstance(WIDTH, HEIGHT, ImageFormat.YUV_420_888, 2)
    private var camera: Camera? = null

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        setContentView(TextureView(this).also { it.surfaceTextureListener = this })
        reader.setOnImageAvailableListener({ it.acquireLatestImage()?.use(::look) }, handler)
    }

    override fun onSurfaceTextureAvailable(texture: SurfaceTexture, width: Int, height: Int) {
        texture.setDefaultBufferSize(WIDTH, HEIGHT)
        camera = Camera.find(this, CameraMetadata.LENS_FACING_BACK) ?: return finish()
        camera?.open(listOf(Surface(texture), reader.surface), handler, CameraDevice.TEMPLATE_PREVIEW, ::finish)
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

    companion object {
        private const val WIDTH = 1280
        private const val HEIGHT = 720

        /** Where the code goes. */
        var onCode: ((String) -> Unit)? = null
    }
}
