package org.sidetone

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class AccountTest {
    @Test
    fun `who registers is in the account`() = check {
        val phone = Phones.bare()
        assertNull(phone.account.value)
        val name = Phones.name()
        phone.register(name, "$name@example.org", "a long password")
        assertEquals(name, phone.account.until { it != null }!!.name)
        assertTrue(phone.account.value!!.valid)
        phone.close()
    }

    @Test
    fun `a name that is taken says so and what to do`() = check {
        val (first, second) = Phones.registered() to Phones.bare()
        val error = failing { second.register(first.name(), "other@example.org", "a long password") }
        assertEquals(ErrorCode.NAME_TAKEN, error.code)
        assertEquals(5.toUShort(), error.code.value)
        assertEquals(UserAction.CORRECT, error.userAction)
        assertFalse(error.retryable)
        listOf(first, second).forEach { it.close() }
    }

    @Test
    fun `what is no name and what is no address is refused`() = check {
        val phone = Phones.bare()
        assertEquals(ErrorCode.NAME_INVALID, failure { phone.register("", "a@example.org", "a long password") })
        assertEquals(ErrorCode.NAME_INVALID, failure { phone.register("a\u0000b", "a@example.org", "a long password") })
        assertEquals(ErrorCode.EMAIL_INVALID, failure { phone.register(Phones.name(), "", "a long password") })
        phone.close()
    }

    @Test
    fun `a wrong password opens nothing`() = check {
        val (owner, other) = Phones.registered() to Phones.bare()
        assertEquals(ErrorCode.WRONG_LOGIN, failure { other.signIn(owner.name(), "not it") })
        assertNull(other.account.value)
        listOf(owner, other).forEach { it.close() }
    }

    @Test
    fun `an account is entered from another phone and the first learns of it`() = check {
        val (old, new) = Phones.registered() to Phones.bare()
        val name = old.name()
        new.signIn(name, "password of $name")
        assertEquals(name, new.name())
        old.account.until { it?.valid == false }
        listOf(old, new).forEach { it.close() }
    }

    @Test
    fun `without an account there is nothing to do`() = check {
        val phone = Phones.bare()
        val error = failing { phone.befriend("somebody") }
        assertEquals(ErrorCode.SIGNED_OUT to UserAction.SIGN_IN, error.code to error.userAction)
        assertEquals(ErrorCode.SIGNED_OUT, failure { phone.signOut() })
        phone.close()
    }

    @Test
    fun `a phone has one account at a time`() = check {
        val phone = Phones.registered()
        assertEquals(ErrorCode.SIGNED_IN, failure { phone.register(Phones.name(), "b@example.org", "a long password") })
        phone.close()
    }

    @Test
    fun `who signs out leaves nothing on the phone`() = check {
        val duo = Phones.friends()
        duo.anna.signOut()
        duo.anna.account.until { it == null }
        duo.anna.friends.until { it.isEmpty() }
        duo.close()
    }

    @Test
    fun `the server's whole knowledge can be read`() = check {
        val phone = Phones.registered()
        val (name, json) = phone.name() to phone.exportAccount()
        assertTrue(json.startsWith("{") && name in json, json)
        phone.close()
    }

    @Test
    fun `a deleted account is nobody's friend`() = check {
        val (gone, other) = Phones.registered() to Phones.registered()
        val name = gone.name()
        gone.deleteAccount()
        gone.account.until { it == null }
        assertEquals(ErrorCode.NO_SUCH_PERSON, failure { other.befriend(name) })
        listOf(gone, other).forEach { it.close() }
    }

    @Test
    fun `rules are set`() = check {
        val phone = Phones.registered()
        AddressRule.entries.forEach { phone.setAddresses(it) }
        assertEquals(AddressRule.NEVER, phone.preferences().addresses)
        ReceiptRule.entries.forEach { phone.setReceipts(it) }
        phone.close()
    }
}
