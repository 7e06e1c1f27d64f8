package org.sidetone.sample.desktop

import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.ui.Alignment
import androidx.compose.ui.graphics.toComposeImageBitmap
import androidx.compose.ui.res.LocalLanguage
import androidx.compose.ui.text.ExperimentalTextApi
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.platform.SystemFont
import androidx.compose.ui.unit.DpSize
import androidx.compose.ui.unit.dp
import androidx.compose.ui.window.Window
import androidx.compose.ui.window.WindowPosition
import androidx.compose.ui.window.WindowState
import androidx.compose.ui.window.application
import kotlinx.coroutines.*
import org.jetbrains.skia.Image
import org.sidetone.AudioIntent
import org.sidetone.Client
import org.sidetone.ClientOptions
import org.sidetone.sample.logic.Sample
import org.sidetone.sample.ui.LocalPictures
import org.sidetone.sample.ui.Root
import java.io.File
import java.util.Locale
import kotlin.system.exitProcess

/** `desktop SERVER FOLDER [WAV]`: the same screens as on a phone, with this machine's microphone or a recording. */
fun main(arguments: Array<String>) {
    val (server, folder) = arguments[0] to File(arguments[1]).apply { mkdirs() }
    val voice = arguments.getOrNull(2)?.let(::File)
    val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    val desk = Desktop(server, folder, voice)
    val sample = Sample(scope, desk) { Client.open(options(desk), desk.store.vault).also { desk.attend(it, scope) } }
    scope.launch { sample.start() }
    System.getProperty("sidetone.tour")?.let { pictures ->
        scope.launch {
            val done = runCatching { tour(sample, desk, File(pictures)) }.onFailure { it.printStackTrace() }
            leave(sample)
            exitProcess(if (done.isSuccess) 0 else 1)
        }
    }
    application {
        Window(
            onCloseRequest = {
                runBlocking { leave(sample) }
                exitApplication()
            },
            state = WindowState(position = WindowPosition(Alignment.Center), size = DpSize(430.dp, 900.dp)), title = "Sidetone",
        ) {
            val language = if (Locale.getDefault().language == "tr") "tr" else "en"
            CompositionLocalProvider(
                LocalLanguage provides language,
                LocalPictures provides { bytes -> runCatching { Image.makeFromEncoded(bytes).toComposeImageBitmap() }.getOrNull() },
            ) { Root(sample, desk::scan, letters) }
        }
    }
}

private fun options(desk: Desktop) =
    ClientOptions(desk.server, desk.store.file, desk.store.downloads, bind = if ("127.0.0.1" in desk.server) listOf("127.0.0.1") else emptyList())

/** A phone's letters, where the machine has them. */
@OptIn(ExperimentalTextApi::class)
private val letters = FontFamily(listOf(FontWeight.Normal, FontWeight.Medium, FontWeight.Bold).map { SystemFont("Roboto", it) })

/** What is followed ends before the client does. */
private suspend fun leave(sample: Sample) {
    sample.close()
    withContext(NonCancellable) { sample.client().close() }
}

/** Moves sound while the client wants it. */
private fun Desktop.attend(client: Client, scope: CoroutineScope) {
    scope.launch { client.audio.collect { intent -> if (intent == AudioIntent.IDLE) quiet() else move(client.sound) } }
}
