package org.sidetone

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class ReceiptTest {
    private suspend fun Client.receipt(peer: ReceiptPeer) = privacyReceipts().first { it.peer == peer }

    @Test
    fun `a call with a friend leaves a receipt of what passed and of what stays`() = check {
        val duo = Phones.friends()
        val (hers, _) = duo.talk()
        val ben = ReceiptPeer.Friend(duo.benId)
        // A relay may have been first.
        duo.anna.until { duo.anna.receipt(ben).routes.any { it.route is Route.Direct && it.toMs == null } }
        val lasting = duo.anna.receipt(ben)
        assertNull(lasting.tookMs)
        assertNull(lasting.erased)
        assertTrue(lasting.direct.sent > 0u && lasting.direct.received > 0u && lasting.signaling.sent > 0u, "$lasting")
        assertTrue(lasting.links >= 1u && lasting.keys.sessions >= 1u && lasting.keys.sound >= 2u, "$lasting")
        assertTrue(lasting.server.startsWith("127.0.0.1"), lasting.server)
        hers.hangUp()
        duo.ben.close()
        // The link is over when the friend is gone.
        duo.anna.until { duo.anna.receipt(ben).tookMs != null }
        val over = duo.anna.receipt(ben)
        assertTrue(over.erased!!.keys >= over.keys.sessions && over.erased!!.links == over.links && over.kept.rows > 0u, "$over")
        duo.anna.close()
        assertEquals(ErrorCode.CLOSED, failure { duo.anna.privacyReceipts() })
    }

    @Test
    fun `a room and a stranger leave theirs and nothing is kept of a stranger`() = check {
        val mates = Mates.linked(usualPolicy())
        mates.hers.leave()
        val room = mates.anna.receipt(ReceiptPeer.Room(mates.hers.id))
        assertTrue(room.tookMs != null && room.erased!!.links >= 1u && room.keys.sound > 0u, "$room")
        mates.close()
        val (anna, ben) = Encounter.meet()
        val id = anna.strangers.stranger!!.id
        anna.strangers.say("hello")
        val report = anna.strangers.end()
        val stranger = anna.receipt(ReceiptPeer.Stranger(id))
        assertEquals(report.erased, stranger.erased)
        assertEquals(KeptCount(0u, 0u), stranger.kept)
        listOf(anna, ben).forEach { it.close() }
    }
}
