package org.sidetone

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.nio.ByteBuffer

/** Two phones that meet as strangers. */
object Encounter {
    fun entry(name: String, ask: Boolean = false) =
        StrangerEntry(nickname = name, language = "en", interests = listOf("chess"), media = StrangerMedia.VOICE, adult = true, ask = ask)

    suspend fun together(vararg phones: Client) {
        for (phone in phones) phone.strangers.view.until { it is StrangerView.With && it.stranger.nickname != null && it.stranger.route != null }
    }

    suspend fun meet(): Pair<Client, Client> {
        val (anna, ben) = Phones.bare() to Phones.bare()
        anna.strangers.enter(entry("Anna"))
        ben.strangers.enter(entry("Ben"))
        together(anna, ben)
        return anna to ben
    }
}

class StrangersTest {
    private val StrangerView.call get() = (this as? StrangerView.With)?.stranger?.call

    @Test
    fun `two who look for somebody talk and leave nothing behind`() = check {
        val (anna, ben) = Encounter.meet()
        val stranger = anna.strangers.stranger!!
        assertEquals(listOf("Ben", "en", listOf("chess")), listOf(stranger.nickname, stranger.language, stranger.common))
        assertTrue(stranger.route is Route.Relayed && !stranger.ourAddressShown && !stranger.theirAddressShown)
        assertTrue(anna.strangers.active() >= 2uL)
        anna.strangers.say("hello")
        val note = VoiceNote()
        val second = ByteBuffer.allocateDirect(96_000).apply { repeat(96_000) { put((it * 7).toByte()) }; flip() }
        assertEquals(96_000, note.push(second))
        ben.strangers.sendNote(note)
        note.close()
        ben.until { ben.strangers.messages().any { it.content == StrangerContent.Text("hello") } }
        ben.strangers.hide(ben.strangers.messages().first { it.theirs }.number)
        assertTrue(ben.strangers.messages().none { it.theirs })
        anna.until { anna.strangers.messages().any { it.theirs && it.whole && it.content is StrangerContent.VoiceNote } }
        val sound = anna.strangers.messages().first { it.theirs }
        assertEquals("OggS", String(anna.strangers.note(sound.number).copyOf(4)))
        assertEquals(ErrorCode.FILE_MALFORMED, failure { anna.strangers.sendImage(ByteArray(100)) })
        anna.strangers.compareWords()
        val words = anna.strangers.view.until { (it as? StrangerView.With)?.stranger?.words != null }
        ben.strangers.view.until { (it as? StrangerView.With)?.stranger?.words == (words as StrangerView.With).stranger.words }
        val gone = async(start = CoroutineStart.UNDISPATCHED) { ben.strangers.events.filterIsInstance<StrangerEvent.Ended>().first() }
        val report = anna.strangers.end()
        assertEquals(report.held, report.erased)
        assertTrue(report.held.texts == 1u && report.held.notes == 1u && report.held.keys > 0u && report.held.links == 1u, "$report")
        assertTrue(report.tookUs!! < 5_000_000u)
        val ended = gone.await()
        assertEquals(StrangerEnd.THEY_LEFT to ended.burned.held, ended.reason to ended.burned.erased)
        assertEquals(StrangerView.Lobby(stranger.id), anna.strangers.view.until { it is StrangerView.Lobby })
        assertTrue(anna.strangers.messages().isEmpty())
        assertEquals(ErrorCode.NO_SUCH_MATCH, failure { anna.strangers.say("again?") })
        anna.strangers.report(stranger.id, ReportReason.SPAM)
        assertEquals(ErrorCode.NOT_AN_ID, failure { anna.strangers.report(MatchId("?"), ReportReason.SPAM) })
        listOf(anna, ben).forEach { it.close() }
    }

    @Test
    fun `a stranger is called and seen and heard`() = check {
        val (anna, ben) = Encounter.meet()
        assertEquals(ErrorCode.NO_SUCH_CALL, failure { anna.strangers.setCamera(true) })
        anna.strangers.call()
        ben.strangers.view.until { it.call?.state is CallState.Ringing }
        ben.strangers.answer()
        for (phone in listOf(anna, ben)) {
            phone.strangers.view.until { it.call?.state is CallState.Connected }
            phone.audio.until { it == AudioIntent.CALL }
        }
        anna.strangers.setCamera(true)
        anna.video.bitrates.until { (it[VideoSource.CAMERA] ?: 0uL) > 0uL }
        ben.strangers.view.until { it.call?.theirShows == Shows(true, null) }
        val film = Film(VideoSource.CAMERA)
        val playing = launch { film.play(anna.video) }
        film.check(ben.video.frames, 5)
        playing.cancelAndJoin()
        for (state in listOf(HearingState.OFF, HearingState.ON)) ben.strangers.setHearing(state)
        Card(anna.sound, Recording.voice("anna")).use { herCard ->
            Card(ben.sound, Recording.voice("ben")).use { hisCard -> hisCard.listen(herCard) }
        }
        ben.strangers.want(camera = 180)
        anna.strangers.view.until { it.call?.theirWants?.camera == 180.toUShort() }
        anna.strangers.setCamera(false)
        anna.strangers.setScreenShare(ScreenContent.TEXT)
        ben.strangers.view.until { it.call?.theirShows == Shows(false, ScreenContent.TEXT) }
        anna.strangers.hangUp()
        anna.video.bitrates.until { it.isEmpty() }
        for (phone in listOf(anna, ben)) phone.audio.until { it == AudioIntent.IDLE }
        assertEquals(ErrorCode.NO_SUCH_CALL, failure { ben.strangers.hangUp() })
        listOf(anna, ben).forEach { it.close() }
    }

    @Test
    fun `who asks first decides about whom was found`() = check {
        val (anna, ben) = Phones.bare() to Phones.bare()
        anna.strangers.enter(Encounter.entry("Anna", ask = true))
        ben.strangers.enter(Encounter.entry("Ben"))
        val found = anna.strangers.view.until { it is StrangerView.Found } as StrangerView.Found
        assertEquals(listOf("chess"), found.common)
        anna.strangers.accept()
        Encounter.together(anna, ben)
        ben.strangers.block()
        anna.strangers.view.until { it !is StrangerView.With }
        listOf(anna, ben).forEach { it.close() }
    }

    @Test
    fun `a search that is cancelled is over`() = check {
        val phone = Phones.bare()
        // A quick server may take the search before anybody can cancel it: then once more.
        var inTime = false
        while (!inTime) {
            val search = launch(start = CoroutineStart.UNDISPATCHED) { phone.strangers.enter(Encounter.entry("Anna")) }
            inTime = search.isActive
            search.cancelAndJoin()
            if (!inTime) phone.strangers.end()
        }
        phone.strangers.view.until { it is StrangerView.Lobby }
        phone.strangers.enter(Encounter.entry("Anna"))
        assertEquals(ErrorCode.WITH_STRANGER, failure { phone.strangers.enter(Encounter.entry("Anna")) })
        phone.strangers.view.until { it is StrangerView.Searching }
        phone.strangers.end()
        phone.strangers.view.until { it is StrangerView.Lobby }
        phone.close()
    }

    @Test
    fun `what nobody could be shown is refused`() = check {
        val phone = Phones.bare()
        assertEquals(ErrorCode.BAD_ENTRY, failure { phone.strangers.enter(Encounter.entry("")) })
        assertEquals(ErrorCode.BAD_ENTRY, failure { phone.strangers.enter(Encounter.entry("x".repeat(1_000_000))) })
        assertEquals(ErrorCode.BAD_ENTRY, failure { phone.strangers.enter(Encounter.entry("Anna").copy(language = "no language")) })
        assertEquals(ErrorCode.BAD_ENTRY, failure { phone.strangers.enter(Encounter.entry("Anna").copy(interests = List(100) { "$it" })) })
        assertEquals(ErrorCode.NO_SUCH_MATCH, failure { phone.strangers.accept() })
        assertEquals(ErrorCode.NO_SUCH_MATCH, failure { phone.strangers.call() })
        phone.close()
        assertEquals(ErrorCode.CLOSED, failure { phone.strangers.enter(Encounter.entry("Anna")) })
        assertEquals(ErrorCode.CLOSED, failure { phone.strangers.end() })
    }

    @Test
    fun `who closes in the middle burns at both ends`() = check {
        val (anna, ben) = Encounter.meet()
        anna.strangers.say("hello")
        anna.close()
        ben.strangers.view.until { it is StrangerView.Lobby || it is StrangerView.Searching }
        ben.close()
    }
}
