package org.sidetone.devices

import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.sidetone.VaultProblem
import java.io.File
import javax.crypto.AEADBadTagException
import kotlin.experimental.xor

/** Turns every bit, and knows its own by the first byte. */
private class Mirror : Vault.Seal {
    override var exists = false
    var locked = false

    override fun encrypt(plain: ByteArray): ByteArray {
        check(!locked) { "locked" }
        exists = true
        return byteArrayOf(1) + plain.map { it xor -1 }
    }

    override fun decrypt(sealed: ByteArray): ByteArray {
        check(!locked) { "locked" }
        if (sealed.firstOrNull() != 1.toByte()) throw AEADBadTagException()
        return sealed.drop(1).map { it xor -1 }.toByteArray()
    }

    override fun forget() {
        exists = false
    }
}

class VaultTest {
    @Test
    fun `the key is made once, is the same at every start, and lies nowhere in the open`(@TempDir folder: File) {
        val (file, seal) = File(folder, "store.key") to Mirror()
        val key = Vault(file, seal).loadOrCreate()
        assertEquals(32, key.size)
        assertArrayEquals(key, Vault(file, seal).loadOrCreate())
        assertFalse(file.readBytes().toList().windowed(32).contains(key.toList()))
        assertFalse(Vault(File(folder, "other"), Mirror()).loadOrCreate().contentEquals(key))
    }

    @Test
    fun `a phone that is locked, has lost the key, or holds another's file says which`(@TempDir folder: File) {
        val (file, seal) = File(folder, "store.key") to Mirror()
        Vault(file, seal).loadOrCreate()
        seal.locked = true
        assertThrows(VaultProblem.Locked::class.java) { Vault(file, seal).loadOrCreate() }
        seal.locked = false
        val sealed = file.readBytes()
        file.writeBytes(ByteArray(33))
        assertThrows(VaultProblem.Lost::class.java) { Vault(file, seal).loadOrCreate() }
        file.writeBytes(sealed)
        seal.exists = false
        assertThrows(VaultProblem.Lost::class.java) { Vault(file, seal).loadOrCreate() }
    }

    @Test
    fun `a forgotten key is gone with its file`(@TempDir folder: File) {
        val (file, seal) = File(folder, "store.key") to Mirror()
        Vault(file, seal).apply { loadOrCreate() }.forgetKey()
        assertEquals(false to false, file.exists() to seal.exists)
    }
}
