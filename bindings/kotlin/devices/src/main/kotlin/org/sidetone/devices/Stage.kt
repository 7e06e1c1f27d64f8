package org.sidetone.devices

import android.annotation.SuppressLint
import android.content.Context
import android.view.SurfaceHolder
import android.view.SurfaceView
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.distinctUntilChanged
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.launch
import org.sidetone.VideoSource

/** Where one source of the other side's pictures is seen: as large as fits, in its proportions. */
@SuppressLint("ViewConstructor")
public class Stage(context: Context, private val film: Film, private val source: VideoSource) : SurfaceView(context), SurfaceHolder.Callback {
    private var scope: CoroutineScope? = null

    init {
        holder.addCallback(this)
    }

    override fun surfaceCreated(holder: SurfaceHolder): Unit = film.project(source, holder.surface)

    override fun surfaceChanged(holder: SurfaceHolder, format: Int, width: Int, height: Int): Unit = Unit

    override fun surfaceDestroyed(holder: SurfaceHolder): Unit = film.project(source, null)

    override fun onAttachedToWindow() {
        super.onAttachedToWindow()
        scope = CoroutineScope(Dispatchers.Default).apply { launch { film.sizes.map { it[source] }.distinctUntilChanged().collect { post(::requestLayout) } } }
    }

    override fun onDetachedFromWindow() {
        scope?.cancel()
        super.onDetachedFromWindow()
    }

    override fun onMeasure(wide: Int, tall: Int) {
        val (most, high) = MeasureSpec.getSize(wide) to MeasureSpec.getSize(tall)
        val picture = film.sizes.value[source] ?: return setMeasuredDimension(most, high)
        val scale = minOf(most.toFloat() / picture.width, high.toFloat() / picture.height)
        setMeasuredDimension((picture.width * scale).toInt(), (picture.height * scale).toInt())
    }
}

/** Where the user sees what their camera sees, over what else is shown; the system turns and mirrors it. */
@SuppressLint("ViewConstructor")
public class Mirror(context: Context, private val film: Film) : SurfaceView(context), SurfaceHolder.Callback {
    init {
        setZOrderMediaOverlay(true)
        holder.addCallback(this)
    }

    override fun surfaceCreated(holder: SurfaceHolder): Unit = film.mirror(holder.surface)

    override fun surfaceChanged(holder: SurfaceHolder, format: Int, width: Int, height: Int): Unit = Unit

    override fun surfaceDestroyed(holder: SurfaceHolder): Unit = film.mirror(null)
}
