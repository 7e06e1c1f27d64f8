package org.sidetone.sample.ui

import androidx.compose.runtime.Composable
import androidx.compose.runtime.ReadOnlyComposable
import androidx.compose.ui.res.stringResource
import org.sidetone.*
import org.sidetone.sample.R
import java.text.DateFormat
import java.util.Date

/** What a person reads when something did not work: what to do, not what happened inside. */
fun wordsOf(code: ErrorCode): Int = when (code) {
    ErrorCode.OFFLINE, ErrorCode.UNAVAILABLE -> R.string.error_offline
    ErrorCode.WRONG_LOGIN -> R.string.error_login
    ErrorCode.NAME_TAKEN -> R.string.error_name_taken
    ErrorCode.NAME_INVALID -> R.string.error_name
    ErrorCode.EMAIL_TAKEN -> R.string.error_email_taken
    ErrorCode.EMAIL_INVALID -> R.string.error_email
    ErrorCode.NO_SUCH_PERSON -> R.string.error_nobody
    ErrorCode.NOT_FRIENDS -> R.string.error_not_friends
    ErrorCode.ALREADY -> R.string.error_already
    ErrorCode.KEY_CHANGED -> R.string.error_key
    ErrorCode.AWAY -> R.string.error_away
    ErrorCode.BUSY -> R.string.error_busy
    ErrorCode.TOO_MANY, ErrorCode.TOO_MUCH_WORK, ErrorCode.OUTBOX_FULL, ErrorCode.TOO_MANY_TRANSFERS -> R.string.error_wait
    ErrorCode.NOT_A_CODE, ErrorCode.NOT_A_KEY -> R.string.error_code
    ErrorCode.FILE_UNREADABLE, ErrorCode.FILE_MALFORMED, ErrorCode.STRANGER_TOO_LARGE -> R.string.error_file
    ErrorCode.NO_SUCH_ROOM, ErrorCode.CODE_OVER -> R.string.error_room_over
    ErrorCode.ROOM_FULL -> R.string.error_room_full
    ErrorCode.ROOM_LOCKED, ErrorCode.BANNED -> R.string.error_room_locked
    ErrorCode.ADULTS_ONLY, ErrorCode.STRANGERS_ADULTS_ONLY -> R.string.error_adults
    ErrorCode.WRONG_CODE, ErrorCode.NOT_A_SPOKEN_CODE -> R.string.error_spoken
    ErrorCode.NOT_A_LINK, ErrorCode.DAMAGED_LINK -> R.string.error_link
    ErrorCode.NEWER_ROOM, ErrorCode.OUTDATED, ErrorCode.UNKNOWN_POLICY -> R.string.error_update
    ErrorCode.OTHER_SERVER -> R.string.error_other_server
    ErrorCode.BAD_ENTRY -> R.string.error_entry
    ErrorCode.STORE_FULL, ErrorCode.EXPORT_FOLDER -> R.string.error_space
    ErrorCode.NOTE_EMPTY -> R.string.error_note
    else -> R.string.error_other
}

/** How a call stands; null where only the clock says it. */
fun wordsOf(state: CallState, direction: CallDirection): Int? = when (state) {
    is CallState.Ringing -> if (direction == CallDirection.INCOMING) R.string.call_incoming else R.string.call_ringing
    is CallState.Connecting -> R.string.call_connecting
    is CallState.Connected -> null
    is CallState.Reconnecting -> R.string.call_reconnecting
    is CallState.Ended -> wordsOf(state.reason)
}

fun wordsOf(end: CallEnd): Int = when (end) {
    is CallEnd.HungUp, is CallEnd.PeerHungUp, is CallEnd.Merged -> R.string.end_over
    is CallEnd.Declined, is CallEnd.PeerDeclined -> R.string.end_declined
    is CallEnd.PeerBusy -> R.string.end_busy
    is CallEnd.Missed -> R.string.end_missed
    is CallEnd.Cancelled, is CallEnd.Unanswered -> R.string.end_unanswered
    is CallEnd.Unreachable -> R.string.end_unreachable
    is CallEnd.ConnectionLost, is CallEnd.PeerForgot -> R.string.end_lost
    is CallEnd.NotTrusted -> R.string.end_not_trusted
    is CallEnd.SignedOut -> R.string.end_signed_out
}

fun wordsOf(quality: CallQuality): Int = when (quality) {
    CallQuality.GOOD -> R.string.call_quality_good
    CallQuality.FAIR -> R.string.call_quality_fair
    CallQuality.POOR -> R.string.call_quality_poor
}

fun wordsOf(route: Route): Int = if (route is Route.Direct) R.string.route_direct else R.string.route_relayed

fun wordsOf(state: MessageState): Int? = when (state) {
    MessageState.QUEUED -> R.string.message_queued
    MessageState.SENT -> R.string.message_sent
    MessageState.DELIVERED -> R.string.message_delivered
    MessageState.READ -> R.string.message_read
    MessageState.FAILED -> R.string.message_failed
    MessageState.RECEIVED, MessageState.EXPIRED -> null
}

fun wordsOf(stage: TransferStage): Int? = when (stage) {
    is TransferStage.Offered -> R.string.file_offered
    is TransferStage.Waiting -> R.string.file_waiting
    is TransferStage.Moving, is TransferStage.Received -> null
    is TransferStage.PausedByUs, is TransferStage.PausedByThem -> R.string.file_paused
    is TransferStage.PausedForSpace -> R.string.file_space
    is TransferStage.Failed -> R.string.file_failed
}

fun wordsOf(presence: MemberPresence): Int = when (presence) {
    is MemberPresence.Here -> wordsOf(presence.route)
    is MemberPresence.Reaching -> R.string.member_reaching
    is MemberPresence.NoWay -> R.string.member_no_way
    is MemberPresence.Heard -> R.string.member_heard
    is MemberPresence.Waiting -> R.string.member_waiting
}

fun wordsOf(refusal: FloorRefusal): Int = when (refusal) {
    is FloorRefusal.Collision -> R.string.floor_collision
    is FloorRefusal.QueueFull -> R.string.floor_queue_full
    is FloorRefusal.Unanswered -> R.string.floor_unanswered
}

fun wordsOf(end: RoomEnd): Int = when (end) {
    RoomEnd.LEFT, RoomEnd.CLOSED -> R.string.room_end_closed
    RoomEnd.KICKED, RoomEnd.BANNED -> R.string.room_end_out
    RoomEnd.UNANSWERED, RoomEnd.LOST -> R.string.room_end_lost
}

fun wordsOf(end: StrangerEnd): Int = when (end) {
    StrangerEnd.WE_LEFT -> R.string.parted_we
    StrangerEnd.THEY_LEFT -> R.string.parted_they
    StrangerEnd.BLOCKED -> R.string.parted_blocked
    StrangerEnd.UNREACHABLE, StrangerEnd.LOST, StrangerEnd.CLOSED -> R.string.parted_lost
    StrangerEnd.IMPOSTER -> R.string.parted_imposter
}

fun wordsOf(failure: SearchFailure): Int = when (failure) {
    is SearchFailure.Left -> R.string.parted_we
    is SearchFailure.Nobody, is SearchFailure.TooLate -> R.string.search_nobody
    is SearchFailure.NotAgain -> R.string.search_not_again
    is SearchFailure.Refused -> R.string.search_refused
}

/** Minutes and seconds. */
fun clock(seconds: Int): String = if (seconds >= 3_600) "%d:%02d:%02d".format(seconds / 3_600, seconds / 60 % 60, seconds % 60) else "%d:%02d".format(seconds / 60, seconds % 60)

/** A length in the words of the person: one thing, whichever way the words around it run. */
@Composable
@ReadOnlyComposable
fun bytes(count: ULong): String = "\u2068" + when {
    count < 1_000u -> stringResource(R.string.bytes, count.toString())
    count < 1_000_000u -> stringResource(R.string.kilobytes, (count / 1_000u).toString())
    else -> stringResource(R.string.megabytes, "%.1f".format(count.toDouble() / 1e6))
} + "\u2069"

fun hour(ms: ULong): String = DateFormat.getTimeInstance(DateFormat.SHORT).format(Date(ms.toLong()))
