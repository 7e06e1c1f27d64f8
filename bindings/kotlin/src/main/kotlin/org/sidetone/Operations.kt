package org.sidetone

import com.sun.jna.CallbackThreadInitializer
import com.sun.jna.Native
import kotlinx.coroutines.CancellationException

/** Waits for the end of an operation; a coroutine that is cancelled meanwhile cancels the operation. */
public suspend fun Operation.await(): Outcome = try {
    outcome()
} catch (cancelled: CancellationException) {
    cancel()
    throw cancelled
} finally {
    destroy()
}

/** What went wrong. */
public val SidetoneException.code: ErrorCode get() = (this as SidetoneException.Failed).code

/** Whether the same may work later without the user doing anything. */
public val SidetoneException.retryable: Boolean get() = (this as SidetoneException.Failed).retryable

/** What the user can do. */
public val SidetoneException.userAction: UserAction get() = (this as SidetoneException.Failed).userAction

/** What the core says once it is closed, said of a core that is gone altogether. */
internal fun closed(cause: Throwable): SidetoneException =
    gone(ErrorCode.CLOSED, "the client is closed").apply { initCause(cause) }

internal fun gone(code: ErrorCode, detail: String): SidetoneException =
    SidetoneException.Failed(code, code.value, detail, false, 0u, UserAction.NOTHING)

/** The library's threads stay known to the virtual machine after their first call, which makes each later one cheap. */
internal object Attached {
    val once: Unit by lazy {
        val stay = CallbackThreadInitializer(true, false, "sidetone")
        Native.setCallbackThreadInitializer(uniffiRustFutureContinuationCallbackImpl, stay)
    }
}
