package org.sidetone.devices

import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import org.sidetone.KeyVault
import org.sidetone.VaultProblem
import java.io.File
import java.security.GeneralSecurityException
import java.security.KeyStore
import java.security.SecureRandom
import javax.crypto.AEADBadTagException
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

/** Keeps the key of the store in a [file] outside of backups, sealed by a key that never leaves the phone's hardware. */
class Vault(private val file: File, private val seal: Seal = KeystoreSeal()) : KeyVault {
    /** Seals and opens a few bytes. */
    interface Seal {
        /** Whether the key that seals is there. */
        val exists: Boolean

        fun encrypt(plain: ByteArray): ByteArray

        fun decrypt(sealed: ByteArray): ByteArray

        fun forget()
    }

    override fun loadOrCreate(): ByteArray = try {
        if (file.exists()) open() else create()
    } catch (locked: IllegalStateException) {
        // The phone was not unlocked since it started.
        throw VaultProblem.Locked()
    }

    override fun forgetKey() {
        seal.forget()
        file.delete()
    }

    private fun open(): ByteArray {
        if (!seal.exists) throw VaultProblem.Lost()
        return try {
            seal.decrypt(file.readBytes())
        } catch (damaged: GeneralSecurityException) {
            throw VaultProblem.Lost()
        }
    }

    private fun create(): ByteArray {
        val key = ByteArray(32).also(SecureRandom()::nextBytes)
        val fresh = File(file.path + ".new").apply { writeBytes(seal.encrypt(key)) }
        // Whole or not at all: half a key would be none.
        if (!fresh.renameTo(file)) throw VaultProblem.Failed()
        return key
    }
}

/** AES-GCM by the Android Keystore; without the user's finger, so that a call rings on a locked phone. */
private class KeystoreSeal : Vault.Seal {
    private val store: KeyStore by lazy { KeyStore.getInstance(STORE).apply { load(null) } }

    override val exists: Boolean get() = store.containsAlias(NAME)

    override fun encrypt(plain: ByteArray): ByteArray {
        val cipher = Cipher.getInstance(FORM).apply { init(Cipher.ENCRYPT_MODE, key()) }
        return cipher.iv + cipher.doFinal(plain)
    }

    override fun decrypt(sealed: ByteArray): ByteArray {
        if (sealed.size <= NONCE) throw AEADBadTagException("too short")
        val nonce = GCMParameterSpec(TAG_BITS, sealed, 0, NONCE)
        val cipher = Cipher.getInstance(FORM).apply { init(Cipher.DECRYPT_MODE, key(), nonce) }
        return cipher.doFinal(sealed, NONCE, sealed.size - NONCE)
    }

    override fun forget() = store.deleteEntry(NAME)

    private fun key(): SecretKey = store.getKey(NAME, null) as SecretKey? ?: KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, STORE).run {
        val purposes = KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT
        init(
            KeyGenParameterSpec.Builder(NAME, purposes).setKeySize(256)
                .setBlockModes(KeyProperties.BLOCK_MODE_GCM).setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE).build(),
        )
        generateKey()
    }

    private companion object {
        const val STORE = "AndroidKeyStore"
        const val NAME = "sidetone"
        const val FORM = "AES/GCM/NoPadding"
        const val NONCE = 12
        const val TAG_BITS = 128
    }
}
