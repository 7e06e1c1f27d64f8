package org.sidetone.testkit

import kotlin.time.Duration

/** Lets so much time pass. */
public fun SimWorld.advance(time: Duration): Unit = advance(time.inWholeMilliseconds.toULong())

/** A phone has no network for so long, and another one afterwards. */
public fun SimWorld.handOver(phone: UInt, time: Duration): Unit = handOver(phone, time.inWholeMilliseconds.toULong())

/** A phone sleeps: nothing reaches it until it wakes. */
public fun SimWorld.sleep(phone: UInt, time: Duration): Unit = sleep(phone, time.inWholeMilliseconds.toULong())

/** Nothing passes directly between phones for so long. */
public fun SimWorld.outage(time: Duration): Unit = outage(time.inWholeMilliseconds.toULong())

/** The server dies, and is back after a while with its store. */
public fun SimWorld.crashServer(time: Duration): Unit = crashServer(time.inWholeMilliseconds.toULong())
