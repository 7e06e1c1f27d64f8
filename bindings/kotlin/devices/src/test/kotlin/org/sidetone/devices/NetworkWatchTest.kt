package org.sidetone.devices

import android.content.Context
import android.net.ConnectivityManager
import android.net.LinkAddress
import android.net.LinkProperties
import android.net.Network
import android.net.NetworkCapabilities
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowNetwork
import org.robolectric.shadows.ShadowNetworkCapabilities
import org.sidetone.NetworkKind
import org.sidetone.NetworkSnapshot
import java.net.InetAddress

@RunWith(RobolectricTestRunner::class)
class NetworkWatchTest {
    private val phone: Context = RuntimeEnvironment.getApplication()
    private val told = ArrayList<NetworkSnapshot>()
    private val watch = NetworkWatch(phone) { told += it }
    private val network: Network = ShadowNetwork.newInstance(7)

    private fun can(transport: Int, metered: Boolean): NetworkCapabilities = ShadowNetworkCapabilities.newInstance().apply {
        shadowOf(this).addTransportType(transport)
        if (metered) shadowOf(this).removeCapability(NetworkCapabilities.NET_CAPABILITY_NOT_METERED) else shadowOf(this).addCapability(NetworkCapabilities.NET_CAPABILITY_NOT_METERED)
    }

    private fun has(vararg addresses: String) = LinkProperties().apply { addresses.forEach { addLinkAddress(LinkAddress(it)) } }

    @Test
    fun `a network is told once it is known what it is and which addresses it has, and once only`() {
        watch.onCapabilitiesChanged(network, can(NetworkCapabilities.TRANSPORT_WIFI, metered = false))
        assertTrue("$told", told.isEmpty())
        watch.onLinkPropertiesChanged(network, has("192.0.2.7/24", "2001:db8::7/64"))
        watch.onLinkPropertiesChanged(network, has("192.0.2.7/24", "2001:db8::7/64"))
        assertEquals(NetworkKind.WIFI to false, told.single().let { it.kind to it.metered })
        assertEquals(listOf("192.0.2.7", "2001:db8::7").map(InetAddress::getByName), told.single().addresses.map(InetAddress::getByName))
        watch.onCapabilitiesChanged(network, can(NetworkCapabilities.TRANSPORT_CELLULAR, metered = true))
        assertEquals(NetworkKind.MOBILE to true, told.last().let { it.kind to it.metered })
        watch.onLost(network)
        assertEquals(NetworkSnapshot(NetworkKind.NONE, false, emptyList()), told.last())
        assertEquals(3, told.size)
    }

    @Test
    fun `the system is asked for as long as somebody listens`() {
        val callbacks = shadowOf(phone.getSystemService(ConnectivityManager::class.java)).networkCallbacks
        watch.start()
        assertTrue(watch in callbacks)
        watch.stop()
        assertTrue(watch !in shadowOf(phone.getSystemService(ConnectivityManager::class.java)).networkCallbacks)
    }
}
