package org.sidetone.sample.logic

import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.sidetone.*
import java.io.File

class FriendsTest {
    @Test
    fun `a link carries name and key and whatever else is typed is a name`() {
        val key = PublicKey("0f".repeat(32))
        for (name in listOf("anna", "ayşe", "محمد", "a b+c%#/")) assertEquals(Invitation(name, key), Invitation.read("  " + Invitation(name, key).link + "\n"))
        assertEquals(Invitation("anna", null), Invitation.read(" anna "))
        assertEquals(Invitation("anna", null), Invitation.read(Invitation("anna", null).link))
    }

    @Test
    fun `friends by link see each other come, write, and compare their numbers by code`() = check {
        val (anna, ben) = Person.registered() to Person.registered()
        val me = ben.home.friends.state.until { it.me != null }.me!!
        anna.home.friends.type(Invitation.of(me).link)
        anna.home.friends.add()
        assertEquals(ben.name to "", anna.home.friends.state.value.let { it.asked to it.typed })
        val asked = ben.home.friends.state.until { it.requests.isNotEmpty() }.requests.single()
        ben.home.friends.accept(asked.user)
        val row = anna.home.friends.state.until { all -> all.rows.any { it.friend.standing == Standing.FRIEND && it.friend.online } }.rows.single()
        ben.home.chat(asked.user)
        val his = (ben.home.state.value.place as Place.Chatting).logic
        his.type("hello")
        his.send()
        assertEquals("hello", anna.home.friends.state.until { it.rows[0].last?.text == "hello" }.rows[0].last?.text)
        assertEquals(1, anna.home.state.until { it.unread == 1 }.unread)
        anna.home.verify(row.friend.user)
        val hers = (anna.home.state.value.place as Place.Verifying).logic
        ben.home.verify(asked.user)
        val other = (ben.home.state.value.place as Place.Verifying).logic.state.until { it.code != null }
        assertEquals(other.number, hers.state.until { it.number != null }.number)
        hers.scanned(decoded(encode(other.code!!))!!)
        assertEquals(Comparison.MATCH, hers.state.value.compared)
        assertTrue(hers.state.until { it.friend?.verified == true }.friend!!.verified)
        for (one in listOf(anna, ben)) one.close()
    }

    @Test
    fun `a link that was followed asks nobody before the person does`() = check {
        val anna = Person.registered()
        val link = Invitation("ben", PublicKey("0f".repeat(32))).link
        anna.home.open(link)
        assertEquals(Triple(Tab.FRIENDS, Place.Add, link), anna.home.let { Triple(it.state.value.tab, it.state.value.place, it.friends.state.value.typed) })
        assertTrue(anna.home.friends.state.value.rows.isEmpty())
        anna.home.open("https://meet.example/r#AAAA")
        assertEquals(Triple(Tab.ROOMS, Place.Tabs, "https://meet.example/r#AAAA"), anna.home.let { Triple(it.state.value.tab, it.state.value.place, it.rooms.state.value.typed) })
        anna.close()
    }

    @Test
    fun `who is blocked stands apart until that is taken back`() = check {
        val (anna, ben) = Person.friends()
        anna.home.verify(anna.friend)
        (anna.home.state.value.place as Place.Verifying).logic.block()
        val blocked = anna.home.friends.state.until { it.blocked.isNotEmpty() }
        assertEquals(ben.name to emptyList<FriendRow>(), blocked.blocked.single().name to blocked.rows)
        anna.home.friends.unblock(blocked.blocked.single().user)
        anna.home.friends.state.until { it.blocked.isEmpty() }
        for (one in listOf(anna, ben)) one.close()
    }

    @Test
    fun `a name that nobody has is said and stays to be corrected`() = check {
        val anna = Person.registered()
        anna.home.friends.type("nobodyhasthis")
        anna.home.friends.add()
        assertEquals(ErrorCode.NO_SUCH_PERSON, anna.home.friends.notice.value)
        assertEquals("nobodyhasthis" to null, anna.home.friends.state.value.let { it.typed to it.asked })
        anna.close()
    }

    @Test
    fun `a friend whose key changed is shown as such until the person accepts it`(@TempDir folder: File) = check {
        val (anna, ben) = Person.friends(folder)
        val friend = anna.friend
        val password = "secret of ${ben.name}"
        ben.close()
        val other = Person.started(File(folder, "new").apply { mkdirs() })
        other.sample.state.until { it is Stage.Welcome }
        other.sample.client().online.until { it }
        other.sample.type(Form(ben.name, "", password, isNew = false))
        other.sample.signIn()
        other.sample.state.until { it is Stage.Home }
        anna.home.verify(friend)
        val verify = (anna.home.state.value.place as Place.Verifying).logic
        assertNotNull(verify.state.until { it.friend?.changedKey != null }.friend)
        verify.acceptKey()
        verify.state.until { it.friend != null && it.friend.changedKey == null }
        for (one in listOf(anna, other)) one.close()
    }
}
