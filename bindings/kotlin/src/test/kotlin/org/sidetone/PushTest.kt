package org.sidetone

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.sidetone.testkit.TestServer

class PushTest {
    @Test
    fun `a phone that sleeps is woken by a call and it rings`() = check {
        val server = TestServer.start()
        val duo = Phones.friends(server.url())
        // Any point does for a key: here nobody opens what comes.
        duo.ben.setPush(PushAddress.Web(server.pushEndpoint(), duo.ben.pushKey(), ByteArray(16) { 1 }))
        duo.ben.onBackground()
        duo.ben.online.until { !it }
        val hers = duo.anna.call(duo.benId)
        assertTrue(server.nextWakeUp())
        assertTrue(duo.ben.calls.value.isEmpty(), "the control: it sleeps")
        duo.ben.handlePush()
        duo.rings(hers).answer()
        assertTrue(hers.connected())
        duo.close()
        assertEquals(ErrorCode.CLOSED, failure { duo.ben.setPush(null) })
        server.stop()
        server.close()
    }

    @Test
    fun `an address that is none is refused`() = check {
        val phone = Phones.registered()
        val key = phone.pushKey()
        assertEquals(65, key.size)
        for (address in listOf(
            PushAddress.Web("http://localhost/wake", key, ByteArray(16)),
            PushAddress.Web("https://localhost/wake", key, ByteArray(15)),
            PushAddress.Web("https://", key, ByteArray(16)),
            PushAddress.Web("https://anna@localhost/wake", key, ByteArray(16)),
            PushAddress.Apple("no token"),
            PushAddress.Firebase(""),
        )) {
            assertEquals(ErrorCode.NOT_A_PUSH_ADDRESS, failure { phone.setPush(address) }, "$address")
        }
        phone.setPush(PushAddress.Firebase("a-token"))
        phone.setPush(null)
        phone.close()
    }
}
