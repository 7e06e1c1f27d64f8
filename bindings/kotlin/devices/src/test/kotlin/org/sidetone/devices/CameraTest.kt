package org.sidetone.devices

import android.util.Size
import android.view.Surface
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.sidetone.VideoRotation

@RunWith(RobolectricTestRunner::class)
class CameraTest {
    @Test
    fun `a picture is upright however the phone is held`() {
        // Most phones: the sensor behind lies on its side to the right, the one in front to the left.
        val turns = listOf(Surface.ROTATION_0, Surface.ROTATION_90, Surface.ROTATION_180, Surface.ROTATION_270)
        val (up, quarter, half, most) = VideoRotation.entries
        assertEquals(listOf(quarter, up, most, half), turns.map { Camera.turned(90, it, front = false) })
        assertEquals(listOf(most, up, quarter, half), turns.map { Camera.turned(270, it, front = true) })
    }

    @Test
    fun `no more lines are filmed than somebody wants to see, unless the camera has nothing smaller`() {
        val sizes = listOf(Size(1920, 1080), Size(640, 480), Size(1280, 720), Size(1440, 1080), Size(320, 240))
        assertEquals(listOf(Size(640, 480), Size(1280, 720), Size(320, 240)), listOf(480, 800, 100).map { Camera.nearest(sizes, it) })
        assertEquals(Size(1920, 1080), Camera.nearest(sizes, 4_000))
        assertEquals(Size(640, 480), Camera.nearest(emptyList(), 480))
    }
}
