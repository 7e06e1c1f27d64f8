package org.sidetone

/** What a person may do about it now, in the order in which it is shown; nothing once it is over. */
public val CallView.choices: List<CallChoice> get() = callChoices(this)

/** What a person may do about it now, in the order in which it is shown; nothing once it is over. */
public val StrangerCall.choices: List<CallChoice> get() = strangerChoices(this)

/**
 * How the call with a friend sounded since an earlier look, some seconds ago; null while nothing was heard.
 *
 * From 3 % of the sound missing it is fair and from 10 % poor. A round trip of more than 300 ms is fair and of more than
 * 800 ms poor: twice what ITU-T G.114 gives for one way.
 */
public fun Diagnostics.quality(since: Diagnostics, with: UserId): CallQuality? = callQuality(since, this, with)
