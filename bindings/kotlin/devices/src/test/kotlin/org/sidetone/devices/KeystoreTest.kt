package org.sidetone.devices

import android.security.keystore.KeyGenParameterSpec
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.sidetone.VaultProblem
import java.io.InputStream
import java.io.OutputStream
import java.security.Key
import java.security.KeyStoreSpi
import java.security.Provider
import java.security.SecureRandom
import java.security.Security
import java.security.cert.Certificate
import java.security.spec.AlgorithmParameterSpec
import java.util.Collections
import java.util.Date
import javax.crypto.KeyGenerator
import javax.crypto.KeyGeneratorSpi
import javax.crypto.SecretKey

/** What the phone's hardware holds, in memory: the keys are real, and so is what is done with them. */
private object Chip {
    val keys = HashMap<String, SecretKey>()
    var asked: KeyGenParameterSpec? = null
}

class ChipStore : KeyStoreSpi() {
    override fun engineGetKey(alias: String, password: CharArray?): Key? = Chip.keys[alias]

    override fun engineContainsAlias(alias: String) = alias in Chip.keys

    override fun engineDeleteEntry(alias: String) {
        Chip.keys.remove(alias)
    }

    override fun engineLoad(stream: InputStream?, password: CharArray?) = Unit

    override fun engineAliases() = Collections.enumeration(Chip.keys.keys)

    override fun engineSize() = Chip.keys.size

    override fun engineIsKeyEntry(alias: String) = alias in Chip.keys

    override fun engineIsCertificateEntry(alias: String) = false

    override fun engineGetCertificateChain(alias: String): Array<Certificate>? = null

    override fun engineGetCertificate(alias: String): Certificate? = null

    override fun engineGetCreationDate(alias: String): Date? = null

    override fun engineGetCertificateAlias(certificate: Certificate?): String? = null

    override fun engineSetKeyEntry(alias: String, key: Key?, password: CharArray?, chain: Array<Certificate>?) = throw UnsupportedOperationException()

    override fun engineSetKeyEntry(alias: String, key: ByteArray?, chain: Array<Certificate>?) = throw UnsupportedOperationException()

    override fun engineSetCertificateEntry(alias: String, certificate: Certificate?) = throw UnsupportedOperationException()

    override fun engineStore(stream: OutputStream?, password: CharArray?) = Unit
}

class ChipGenerator : KeyGeneratorSpi() {
    override fun engineInit(random: SecureRandom?) = Unit

    override fun engineInit(size: Int, random: SecureRandom?) = Unit

    override fun engineInit(spec: AlgorithmParameterSpec, random: SecureRandom?) {
        Chip.asked = spec as KeyGenParameterSpec
    }

    override fun engineGenerateKey(): SecretKey {
        val asked = Chip.asked!!
        val key = KeyGenerator.getInstance("AES", "SunJCE").apply { init(asked.keySize) }.generateKey()
        return key.also { Chip.keys[asked.keystoreAlias] = it }
    }
}

@RunWith(RobolectricTestRunner::class)
class KeystoreTest {
    @get:Rule
    val folder = TemporaryFolder()

    @Before
    fun chip() {
        Chip.keys.clear()
        Security.removeProvider("AndroidKeyStore")
        Security.addProvider(
            object : Provider("AndroidKeyStore", "1", "") {
                init {
                    put("KeyStore.AndroidKeyStore", ChipStore::class.java.name)
                    put("KeyGenerator.AES", ChipGenerator::class.java.name)
                }
            },
        )
    }

    @Test
    fun `the key of the store lies sealed by one that only the hardware holds, and opens again`() {
        val file = folder.root.resolve("store.key")
        val key = Vault(file).loadOrCreate()
        val asked = Chip.asked!!
        assertEquals(listOf(256, false), listOf(asked.keySize, asked.isUserAuthenticationRequired))
        assertEquals(listOf("GCM") to listOf("NoPadding"), asked.blockModes.toList() to asked.encryptionPaddings.toList())
        assertEquals(12 + 32 + 16, file.readBytes().size)
        assertFalse(file.readBytes().toList().windowed(32).contains(key.toList()))
        assertArrayEquals(key, Vault(file).loadOrCreate())
    }

    @Test
    fun `a file that somebody changed or brought from another phone opens nothing, and forgetting leaves nothing`() {
        val file = folder.root.resolve("store.key")
        Vault(file).loadOrCreate()
        val sealed = file.readBytes()
        file.writeBytes(sealed.copyOf().also { it[20] = (it[20] + 1).toByte() })
        assertThrows(VaultProblem.Lost::class.java) { Vault(file).loadOrCreate() }
        file.writeBytes(ByteArray(5))
        assertThrows(VaultProblem.Lost::class.java) { Vault(file).loadOrCreate() }
        file.writeBytes(sealed)
        Vault(file).forgetKey()
        assertTrue(Chip.keys.isEmpty() && !file.exists())
    }
}
