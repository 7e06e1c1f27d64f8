package org.sidetone.sample.logic

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.StateFlow
import org.sidetone.KeyVault
import org.sidetone.PushAddress
import java.nio.ByteBuffer

/** What a person may allow the app. */
enum class Permission(val trouble: Trouble) {
    MICROPHONE(Trouble.MICROPHONE_FORBIDDEN), CAMERA(Trouble.CAMERA_FORBIDDEN), NOTIFICATIONS(Trouble.OTHER)
}

/** What a person picks to send. */
enum class Pick { IMAGE, FILE }

/** Where everything is kept, what opens it, and where received files go. */
class Store(val file: String, val vault: KeyVault, val downloads: String)

/** The phone around the app; on a desk, what stands in for it. */
interface Device {
    /** The BCP 47 tag of the language shown. */
    val language: String

    /** Where friends, rooms and strangers are met. */
    var server: String

    /** What is kept from one start to the next. */
    val store: Store

    /** Where the server wakes this phone while it sleeps, if anybody does. */
    val reach: StateFlow<PushAddress?>

    /** Asks whoever wakes apps on this phone to wake this one for the server that has this key. */
    fun subscribe(key: ByteArray)

    /** Asks for a permission, if it was not given yet. */
    suspend fun allows(permission: Permission): Boolean

    /** The system's page on which permissions are given. */
    fun openPermissions()

    /** A file that the person picked, copied to where it stays. */
    suspend fun pick(what: Pick): String?

    /** Gives the microphone's sound to [into] until it is closed. */
    fun record(into: (ByteBuffer) -> Int): AutoCloseable

    /** Opens a file that is here, or plays it. */
    fun open(path: String, mime: String)

    /** Hands a text to another app. */
    fun share(text: String)

    /** Opens and closes the camera for what is shown; the other side wants to see so many lines. */
    fun setCamera(on: Boolean, lines: Int)

    /** Asks the person to let the call see the screen, and shows it from then on; false if they would rather not. */
    suspend fun shareScreen(): Boolean

    /** Shows the screen no longer. */
    fun stopScreen()

    /** Told when the person ends sharing where the system offers it. */
    val screenEnds: Flow<Unit>

    /** A folder of its own for an export. */
    fun exportFolder(): String
}
