package org.sidetone.sample

import android.content.Intent
import android.graphics.BitmapFactory
import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.safeDrawingPadding
import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.asImageBitmap
import androidx.compose.ui.viewinterop.AndroidView
import org.sidetone.devices.Mirror
import org.sidetone.devices.Stage
import org.sidetone.sample.platform.SampleApp
import org.sidetone.sample.ui.LocalMirror
import org.sidetone.sample.ui.LocalPictures
import org.sidetone.sample.ui.LocalStage
import org.sidetone.sample.ui.Root

/** The window. What is in it is in `ui`, what it does in `logic`, what the phone does in `platform`. */
class MainActivity : ComponentActivity() {
    private val app get() = application as SampleApp

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        enableEdgeToEdge()
        if (state == null) follow(intent)
        setContent {
            CompositionLocalProvider(
                LocalPictures provides { BitmapFactory.decodeByteArray(it, 0, it.size)?.asImageBitmap() },
                LocalMirror provides { modifier -> app.phone.film?.let { film -> AndroidView({ Mirror(it, film) }, modifier) } },
                LocalStage provides { source, modifier -> app.phone.film?.let { film -> AndroidView({ Stage(it, film, source) }, modifier) } },
            ) {
                Root(app.sample, app.scanner)
            }
        }
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        follow(intent)
    }

    private fun follow(intent: Intent) {
        intent.dataString?.let(app::open)
    }

    @Deprecated("The framework's own way asks for no more libraries.")
    override fun onActivityResult(code: Int, result: Int, data: Intent?) {
        super.onActivityResult(code, result, data)
        app.phone.onActivityResult(code, data)
    }

    override fun onRequestPermissionsResult(code: Int, permissions: Array<String>, answers: IntArray) {
        super.onRequestPermissionsResult(code, permissions, answers)
        app.phone.onRequestPermissionsResult(code, answers)
    }
}
