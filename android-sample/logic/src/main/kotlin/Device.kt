package org.sidetone.sample.logic

import kotlinx.coroutines.flow.Flow
import java.nio.ByteBuffer

/** What a person may allow the app. */
enum class Permission(val trouble: Trouble) {
    MICROPHONE(Trouble.MICROPHONE_FORBIDDEN), CAMERA(Trouble.CAMERA_FORBIDDEN), NOTIFICATIONS(Trouble.OTHER)
}

/** What a person picks to send. */
enum class Pick { IMAGE, FILE }

/** The phone around the app; on a desk, what stands in for it. */
interface Device {
    /** The BCP 47 tag of the language shown. */
    val language: String

    /** Where friends, rooms and strangers are met. */
    var server: String

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
