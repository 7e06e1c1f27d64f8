package org.sidetone.sample.logic

import org.sidetone.AccountView
import org.sidetone.PublicKey
import java.net.URLDecoder
import java.net.URLEncoder

/** Who is added as a friend: by name alone, or with the key that came by link or QR code and is pinned. */
data class Invitation(val name: String, val key: PublicKey?) {
    val link: String get() = "$HEAD${URLEncoder.encode(name, "UTF-8")}" + key?.let { "#${it.hex}" }.orEmpty()

    companion object {
        private const val HEAD = "sidetone:friend/"

        fun of(account: AccountView) = Invitation(account.name, account.key)

        fun isOne(text: String) = text.trim().startsWith(HEAD, ignoreCase = true)

        /** What was typed, pasted or scanned. */
        fun read(text: String): Invitation {
            val said = text.trim()
            if (!isOne(said)) return Invitation(said, null)
            val name = said.drop(HEAD.length).substringBefore('#')
            return Invitation(URLDecoder.decode(name, "UTF-8"), said.substringAfter('#', "").ifEmpty { null }?.let(::PublicKey))
        }
    }
}
