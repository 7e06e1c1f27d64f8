package org.sidetone.sample.logic

import kotlinx.coroutines.*
import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.sidetone.*
import java.io.File

class SampleTest {
    @Test
    fun `who is new registers and comes home, and is home at the next start without a detour`(@TempDir folder: File) = check {
        val anna = Person.registered(folder)
        assertEquals(anna.name, anna.home.settings.state.until { it.me != null }.me!!.name)
        anna.close()
        val seen = ArrayList<Stage>()
        val scope = CoroutineScope(SupervisorJob() + Dispatchers.Unconfined)
        val again = Sample(scope, anna.desk) { Client.open(Person.options(folder), FixedVault()) }
        scope.launch { again.state.collect { seen += it } }
        again.start()
        again.state.until { it is Stage.Home }
        assertEquals(listOf(Stage.Opening, Stage.Home), seen.distinct())
        scope.cancel()
        again.client().close()
    }

    @Test
    fun `a wrong password has a screen that says so and leads back to typing with the name still there`() = check {
        val anna = Person.registered()
        val ben = Person.started()
        ben.sample.state.until { it is Stage.Welcome }
        ben.sample.client().online.until { it }
        ben.sample.type(Form(anna.name, "", "wrong wrong", isNew = false))
        ben.sample.signIn()
        assertEquals(Stage.Blocked(Trouble.WRONG_PASSWORD), ben.sample.state.value)
        ben.sample.again()
        assertEquals(Form(anna.name, "", "", isNew = false), (ben.sample.state.value as Stage.Welcome).form)
        for (one in listOf(anna, ben)) one.close()
    }

    @Test
    fun `a name that is taken is said beside the form and nothing typed is lost`() = check {
        val anna = Person.registered()
        val ben = Person.started()
        ben.sample.state.until { it is Stage.Welcome }
        ben.sample.client().online.until { it }
        val form = Form(anna.name, "other@example.org", "secret secret")
        ben.sample.type(form)
        ben.sample.signIn()
        assertEquals(ErrorCode.NAME_TAKEN to Stage.Welcome(form), ben.sample.notice.value to ben.sample.state.value)
        for (one in listOf(anna, ben)) one.close()
    }

    @Test
    fun `an app that cannot begin says why and begins when that is mended`(@TempDir folder: File) = check {
        var locked = true
        val vault = object : KeyVault {
            override fun loadOrCreate() = if (locked) throw VaultProblem.Locked() else ByteArray(32)

            override fun forgetKey() = Unit
        }
        val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
        val sample = Sample(scope, Desk()) { Client.open(Person.options(folder), vault) }
        sample.start()
        assertEquals(Stage.Blocked(Trouble.PHONE_LOCKED), sample.state.value)
        locked = false
        sample.start()
        sample.state.until { it is Stage.Welcome }
        scope.cancel()
        sample.client().close()
    }

    @Test
    fun `a damaged store is saved as far as it can be read, erased, and begun anew`(@TempDir folder: File) = check {
        val (store, broken) = File(folder, "me.db") to File(folder, "broken").apply { mkdirs() }
        val anna = Person.registered(folder).also { it.close() }
        File(broken, "me.db").writeBytes(ByteArray(8_192) { 1 })
        val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
        val sample = Sample(scope, anna.desk) { Client.open(Person.options(if (store.exists()) broken else folder), FixedVault()) }
        sample.start()
        assertEquals(Stage.Blocked(Trouble.STORE_DAMAGED), sample.state.value)
        sample.salvage()
        assertTrue((sample.state.value as Stage.Blocked).saved!!.rows > 0u)
        assertTrue(File(folder, "export").list()!!.isNotEmpty())
        sample.erase()
        sample.state.until { it is Stage.Welcome }
        scope.cancel()
        sample.client().close()
    }

    @Test
    fun `what nothing can be read of is said to be so and can be erased`(@TempDir folder: File) = check {
        File(folder, "me.db").writeBytes(ByteArray(8_192) { 1 })
        val anna = Person.started(folder)
        anna.sample.acts()({ salvage() })
        anna.sample.notice.until { it == ErrorCode.STORE_DAMAGED }
        assertEquals(Stage.Blocked(Trouble.STORE_DAMAGED), anna.sample.state.value)
        anna.sample.erase()
        anna.sample.state.until { it is Stage.Welcome }
        anna.close()
    }

    @Test
    fun `who erases everything on the phone comes in again with name and password`(@TempDir folder: File) = check {
        val anna = Person.registered(folder)
        anna.sample.wipe()
        assertEquals(Stage.Welcome(), anna.sample.state.until { it !is Stage.Opening })
        anna.sample.client().online.until { it }
        anna.sample.type(Form(anna.name, "", "secret of ${anna.name}", isNew = false))
        anna.sample.signIn()
        anna.sample.state.until { it is Stage.Home }
        anna.close()
    }

    @Test
    fun `who typed a server that is none types another one`() = check {
        val anna = Person.started(desk = Desk().apply { server = "no address" })
        assertEquals(Stage.Blocked(Trouble.NO_SERVER), anna.sample.state.value)
        anna.sample.use(" ${Person.server.url()} ")
        anna.sample.state.until { it is Stage.Welcome }
        assertEquals(Person.server.url(), anna.sample.server)
        anna.close()
    }

    @Test
    fun `every code of an error has a screen`() {
        assertEquals(Trouble.KEY_LOST, troubleOf(ErrorCode.VAULT_LOST))
        assertEquals(Trouble.OUTDATED, troubleOf(ErrorCode.STORE_TOO_NEW))
        assertEquals(ErrorCode.entries.size, ErrorCode.entries.map(::troubleOf).size)
    }

    @Test
    fun `who deletes the account is asked once and then welcomed like a stranger`() = check {
        val anna = Person.registered()
        anna.home.settings.ask(Danger.DELETE)
        assertEquals(Danger.DELETE, anna.home.settings.state.value.asking)
        anna.home.settings.delete()
        anna.sample.state.until { it is Stage.Welcome }
        assertNull(anna.sample.home)
        anna.close()
    }
}
