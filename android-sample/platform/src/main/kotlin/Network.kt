package org.sidetone.sample.platform

import android.content.Context
import android.net.ConnectivityManager
import android.net.LinkProperties
import android.net.Network

/** Tells when the phone has another network. The first word after registering is about the network there is: no change. */
class NetworkWatch(context: Context, private val changed: () -> Unit) : ConnectivityManager.NetworkCallback() {
    private val connectivity = context.getSystemService(ConnectivityManager::class.java)
    private var links: LinkProperties? = null

    fun start() = connectivity.registerDefaultNetworkCallback(this)

    fun stop() = connectivity.unregisterNetworkCallback(this)

    override fun onLinkPropertiesChanged(network: Network, now: LinkProperties) {
        val before = links
        links = now
        if (before != null && before != now) changed()
    }
}
