package org.sidetone.devices

import android.content.Context
import android.net.ConnectivityManager
import android.net.LinkProperties
import android.net.Network
import android.net.NetworkCapabilities
import org.sidetone.NetworkKind
import org.sidetone.NetworkSnapshot

/** Tells which network the phone has, and when it has another. */
class NetworkWatch(context: Context, private val changed: (NetworkSnapshot) -> Unit) : ConnectivityManager.NetworkCallback() {
    private val connectivity = context.getSystemService(ConnectivityManager::class.java)
    private var told: NetworkSnapshot? = null
    private var now = NONE

    fun start() = connectivity.registerDefaultNetworkCallback(this)

    fun stop() = connectivity.unregisterNetworkCallback(this)

    override fun onCapabilitiesChanged(network: Network, can: NetworkCapabilities) {
        val metered = !can.hasCapability(NetworkCapabilities.NET_CAPABILITY_NOT_METERED)
        tell(now.copy(kind = kind(can), metered = metered))
    }

    override fun onLinkPropertiesChanged(network: Network, links: LinkProperties) =
        tell(now.copy(addresses = links.linkAddresses.mapNotNull { it.address.hostAddress?.substringBefore('%') }))

    override fun onLost(network: Network) = tell(NONE)

    private fun kind(can: NetworkCapabilities): NetworkKind = when {
        can.hasTransport(NetworkCapabilities.TRANSPORT_WIFI) -> NetworkKind.WIFI
        can.hasTransport(NetworkCapabilities.TRANSPORT_CELLULAR) -> NetworkKind.MOBILE
        can.hasTransport(NetworkCapabilities.TRANSPORT_ETHERNET) -> NetworkKind.WIRED
        else -> NetworkKind.OTHER
    }

    /** What a network is and which addresses it has come one after the other: both are waited for. */
    private fun tell(network: NetworkSnapshot) {
        now = network
        val whole = (network.kind == NetworkKind.NONE) == network.addresses.isEmpty()
        if (!whole || network == told) return
        told = network
        changed(network)
    }

    private companion object {
        val NONE = NetworkSnapshot(NetworkKind.NONE, metered = false, addresses = emptyList())
    }
}
