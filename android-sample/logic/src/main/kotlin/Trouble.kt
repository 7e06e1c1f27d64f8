package org.sidetone.sample.logic

import org.sidetone.ErrorCode

/** What keeps a person from going on: each has a screen that says what to do. */
enum class Trouble {
    MICROPHONE_FORBIDDEN, CAMERA_FORBIDDEN, NO_SERVER, WRONG_PASSWORD, KEY_CHANGED, SIGNED_OUT, SUSPENDED, PHONE_LOCKED, KEY_LOST,
    STORE_DAMAGED, STORE_FULL, OUTDATED, OTHER
}

/** The screen for what ended or kept back a client. */
fun troubleOf(code: ErrorCode): Trouble = when (code) {
    ErrorCode.OFFLINE, ErrorCode.SERVER_ADDRESS, ErrorCode.CERTIFICATE, ErrorCode.UNAVAILABLE -> Trouble.NO_SERVER
    ErrorCode.WRONG_LOGIN -> Trouble.WRONG_PASSWORD
    ErrorCode.KEY_CHANGED -> Trouble.KEY_CHANGED
    ErrorCode.SIGNED_OUT -> Trouble.SIGNED_OUT
    ErrorCode.SUSPENDED -> Trouble.SUSPENDED
    ErrorCode.VAULT_LOCKED -> Trouble.PHONE_LOCKED
    ErrorCode.VAULT_LOST, ErrorCode.STORE_WRONG_KEY -> Trouble.KEY_LOST
    ErrorCode.STORE_DAMAGED -> Trouble.STORE_DAMAGED
    ErrorCode.STORE_FULL -> Trouble.STORE_FULL
    ErrorCode.STORE_TOO_NEW, ErrorCode.OUTDATED -> Trouble.OUTDATED
    else -> Trouble.OTHER
}
