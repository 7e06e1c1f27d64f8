package org.sidetone.sample.logic

import kotlinx.coroutines.*
import kotlinx.coroutines.flow.*
import org.sidetone.*

/** How a screen asks its logic to do something. */
typealias Act<L> = (suspend L.() -> Unit) -> Unit

/** What is followed ends with the client, which the app's stage says. */
private val over = CoroutineExceptionHandler { _, error -> if (error !is SidetoneException) throw error }

/** What is behind one screen: a state to show, functions to call, and the last thing that failed. */
abstract class Logic<S>(outer: CoroutineScope, first: S) {
    protected val scope = CoroutineScope(outer.coroutineContext + SupervisorJob(outer.coroutineContext.job) + over)
    private val latest = MutableStateFlow(first)
    private val failed = MutableStateFlow<ErrorCode?>(null)

    /** What the screen shows. */
    val state: StateFlow<S> = latest.asStateFlow()

    /** What did not work, until it is dismissed or something else is done. */
    val notice: StateFlow<ErrorCode?> = failed.asStateFlow()

    fun dismiss() {
        failed.value = null
    }

    /** The screen is left. */
    open fun close() = scope.cancel()

    protected fun change(next: S.() -> S) = latest.update(next)

    /** Runs what may fail; the failure becomes the notice. */
    internal fun run(what: suspend () -> Unit): Job = scope.launch { attempt(what) }

    /** Runs what is tried again anyway, and what the person did not ask for. */
    internal suspend fun quietly(what: suspend () -> Unit) = try {
        what()
    } catch (_: SidetoneException) {
    }

    internal suspend fun attempt(what: suspend () -> Unit): Boolean = try {
        what()
        true
    } catch (error: SidetoneException) {
        failed.value = error.code
        false
    }
}

/** What a screen of this logic calls. */
fun <L : Logic<*>> L.acts(): Act<L> = { what ->
    dismiss()
    run { what() }
}
