package org.sidetone.sample.ui

import androidx.compose.ui.geometry.Size
import androidx.compose.ui.test.*
import androidx.compose.ui.unit.Density
import kotlinx.coroutines.*
import kotlinx.coroutines.flow.emptyFlow
import kotlinx.coroutines.flow.MutableStateFlow
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import org.sidetone.*
import org.sidetone.sample.logic.*
import org.sidetone.testkit.TestServer
import java.nio.ByteBuffer

/** A desk that allows everything. */
private class Plain(override var server: String) : Device {
    override val language = "en"

    override val store = Store("nowhere", Key, "nowhere")

    override val reach = MutableStateFlow<PushAddress?>(null)

    override fun subscribe(key: ByteArray) = Unit

    override suspend fun allows(permission: Permission) = true

    override fun openPermissions() = Unit

    override suspend fun pick(what: Pick): String? = null

    override fun record(into: (ByteBuffer) -> Int) = AutoCloseable { }

    override fun open(path: String, mime: String) = Unit

    override fun share(text: String) = Unit

    override fun setCamera(on: Boolean, lines: Int) = Unit

    override suspend fun shareScreen() = true

    override fun stopScreen() = Unit

    override val screenEnds = emptyFlow<Unit>()

    override fun exportFolder() = "nowhere"
}

private object Key : KeyVault {
    override fun loadOrCreate() = ByteArray(32) { 3 }

    override fun forgetKey() = Unit
}

@OptIn(ExperimentalTestApi::class)
class LiveTest {
    private val server = TestServer.start()
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)

    private suspend fun open() = Client.open(ClientOptions(server.url(), bind = listOf("127.0.0.1")), Key)

    /** A friend who accepts everybody and takes every call. */
    private fun friend(): Client = runBlocking {
        val ben = open()
        ben.register("ben", "ben@example.org", "secret of ben")
        scope.launch { ben.friends.collect { all -> all.filter { it.standing == Standing.ASKED_US }.forEach { ben.accept(it.user) } } }
        scope.launch { ben.incoming.collect { it.answer() } }
        ben
    }

    private fun SkikoComposeUiTest.see(text: String): SemanticsNodeInteraction {
        waitUntil(text, 60_000) { onAllNodes(hasText(text, substring = true) or hasContentDescription(text, substring = true)).fetchSemanticsNodes().isNotEmpty() }
        return onAllNodes(hasText(text, substring = true) or hasContentDescription(text, substring = true)).onFirst()
    }

    /** Touches what has exactly this name, once it is there. */
    private fun SkikoComposeUiTest.touch(name: String) {
        val named = (hasText(name) or hasContentDescription(name)) and hasClickAction()
        waitUntil(name, 60_000) { onAllNodes(named).fetchSemanticsNodes().isNotEmpty() }
        onAllNodes(named).onFirst().performClick()
    }

    @Test
    fun `a person registers, adds a friend, writes, calls and hangs up by what the screens offer`() {
        val ben = friend()
        val sample = Sample(scope, Plain(server.url())) { open() }
        runSkikoComposeUiTest(Size(390f, 844f), Density(1f)) {
            setContent { Root(sample, {}, phoneFont) }
            scope.launch { sample.start() }
            see("Name").performTextInput("anna")
            see("E-mail").performTextInput("anna@example.org")
            see("Password").performTextInput("secret of anna")
            touch("Create account")
            see("Nobody here yet")
            touch("Add a friend")
            see("Name or link").performTextInput("ben")
            touch("Ask")
            see("ben was asked")
            touch("Back")
            see("Call ben")
            touch("ben")
            see("Just the two of you")
            see("Message").performTextInput("are you there?")
            touch("Send")
            see("delivered")
            touch("Call ben")
            see("direct")
            touch("Camera")
            see("You")
            touch("Camera off")
            touch("Mute")
            touch("Unmute")
            touch("Hang up")
            touch("Done")
            see("Message")
        }
        val friend = ben.friends.value.single()
        assertEquals("are you there?", runBlocking { ben.chat(friend.user).history().last().text })
        runBlocking {
            scope.cancel()
            sample.client().close()
            ben.close()
        }
    }
}
