package org.sidetone

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test

class FriendsTest {
    @Test
    fun `a request that is accepted makes friends of both`() = check {
        val duo = Phones.friends()
        assertEquals(Standing.FRIEND, duo.anna.friend(duo.benId)!!.standing)
        assertEquals(duo.anna.name(), duo.ben.friend(duo.annaId)!!.name)
        duo.close()
    }

    @Test
    fun `nobody has this name`() = check {
        val phone = Phones.registered()
        assertEquals(ErrorCode.NO_SUCH_PERSON, failure { phone.befriend("nobody") })
        phone.close()
    }

    @Test
    fun `a declined request leaves no friendship`() = check {
        val (anna, ben) = Phones.registered() to Phones.registered()
        anna.befriend(ben.name())
        val her = ben.friends.until { it.isNotEmpty() }.first().user
        ben.decline(her)
        ben.friends.until { all -> all.none { it.standing == Standing.ASKED_US } }
        listOf(anna, ben).forEach { it.close() }
    }

    @Test
    fun `both see the same sixty digits`() = check {
        val duo = Phones.friends()
        val (hers, his) = duo.anna.safetyNumber(duo.benId) to duo.ben.safetyNumber(duo.annaId)
        assertEquals(hers, his)
        assertEquals(60, hers!!.count(Char::isDigit))
        duo.close()
    }

    @Test
    fun `a scanned code verifies`() = check {
        val duo = Phones.friends()
        val code = duo.ben.safetyCode(duo.annaId)!!
        assertEquals(Comparison.MATCH, duo.anna.scan(duo.benId, code))
        duo.anna.friends.until { all -> all.any { it.verified } }
        duo.anna.setVerified(duo.benId, false)
        duo.anna.friends.until { all -> all.none { it.verified } }
        duo.close()
    }

    @Test
    fun `what is no code is refused and verifies nobody`() = check {
        val duo = Phones.friends()
        for (text in listOf("", "A", "A".repeat(100_000), "sidetone:friend/ben")) {
            assertEquals(ErrorCode.NOT_A_CODE, failure { duo.anna.scan(duo.benId, text) })
        }
        assertEquals(false, duo.anna.friend(duo.benId)!!.verified)
        duo.close()
    }

    @Test
    fun `an id that this library never gave is refused`() = check {
        val phone = Phones.registered()
        for (hex in listOf("", "00", "zz".repeat(16), "00".repeat(17), "\uD83D\uDE00".repeat(8))) {
            assertEquals(ErrorCode.NOT_AN_ID, failure { phone.accept(UserId(hex)) })
        }
        assertNull(phone.friend(UserId("00".repeat(16))))
        assertEquals(ErrorCode.NOT_AN_ID, failure { phone.befriend("somebody", PublicKey("12")) })
        phone.close()
    }

    @Test
    fun `a key that came by another way is checked`() = check {
        val (anna, ben) = Phones.registered() to Phones.registered()
        val wrong = anna.account.value!!.key
        assertEquals(ErrorCode.KEY_CHANGED, failure { anna.befriend(ben.name(), wrong) })
        assertNotNull(anna.befriend(ben.name(), ben.account.value!!.key))
        listOf(anna, ben).forEach { it.close() }
    }

    @Test
    fun `who is blocked cannot write`() = check {
        val duo = Phones.friends()
        duo.ben.block(duo.annaId)
        duo.anna.friends.until { all -> all.none { it.standing == Standing.FRIEND } }
        assertEquals(ErrorCode.NOT_FRIENDS, failure { duo.anna.chat(duo.benId).send("hello") })
        duo.ben.unblock(duo.annaId)
        duo.close()
    }

    @Test
    fun `who closes the app is away`() = check {
        val duo = Phones.friends()
        duo.anna.close()
        duo.ben.friends.until { all -> all.none { it.online } }
        duo.close()
    }

    @Test
    fun `a friendship ends for both`() = check {
        val duo = Phones.friends()
        duo.anna.unfriend(duo.benId)
        for (phone in listOf(duo.anna, duo.ben)) phone.friends.until { all -> all.none { it.standing == Standing.FRIEND } }
        duo.close()
    }
}
