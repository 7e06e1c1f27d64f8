package org.sidetone

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.filter
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.map

/** One room, from entering to leaving it. */
public class Room internal constructor(first: RoomView, private val client: Client) {
    private val latest = MutableStateFlow(first)
    private val end = MutableStateFlow<RoomEnd?>(null)

    /** Which. */
    public val id: RoomId = first.room

    /** How it stands: who is there, who speaks. Stays as it was last when it is over. */
    public val view: StateFlow<RoomView> = latest.asStateFlow()

    /** The others, as of now. */
    public val members: List<RoomMember> get() = latest.value.members

    /** How the floor stands now; null in a room of open microphones. */
    public val floor: Floor? get() = latest.value.floor

    /** Where the pictures go in and out. */
    public val video: RoomVideo = RoomVideo(first.room, client)

    /** What happens here, in order. Who collects too slowly misses the oldest; [view] never lies. */
    public val events: Flow<RoomEvent> =
        client.events.filterIsInstance<Event.Room>().filter { it.room == id }.map { it.event }

    /** The button is held down: we speak as soon as nobody else does. From any thread; it never waits. */
    public fun press(priority: FloorPriority = FloorPriority.NORMAL): Unit = client.ask { client.core().press(id, priority) }

    /** The button is let go. From any thread; it never waits. */
    public fun release(): Unit = client.ask { client.core().release(id) }

    /** Leaves, and returns when we are out of it. */
    public suspend fun leave() {
        client.ask { client.core().leaveRoom(id) }
        ended()
    }

    /** The link that lets others in, also as a QR code: whoever has it can enter. */
    public suspend fun link(): String = client.ask { client.core().roomLink(id) }

    /** A code that lets others in when it is said aloud, for ten minutes; for the creator. */
    public suspend fun openCode(): String = client.ask { client.core().openCode(id) }

    /** Six words that are the same for everybody who sees the same people here. */
    public suspend fun groupPhrase(): String? = client.ask { client.core().groupPhrase(id) }

    /** Says something to everybody who is there; nobody keeps it. */
    public suspend fun say(text: String): Unit = client.ask { client.core().sayInRoom(id, text) }

    /** Reacts, with one sign or a few. */
    public suspend fun react(emoji: String): Unit = client.ask { client.core().reactInRoom(id, emoji) }

    /** Raises or lowers our hand. */
    public suspend fun raiseHand(raised: Boolean): Unit = client.ask { client.core().raiseHand(id, raised) }

    /** Lets the others hear us, or not, in a room of open microphones. */
    public suspend fun setMicrophone(state: MicrophoneState): Unit = client.ask { client.core().setRoomMicrophone(id, state) }

    /** Shows everybody pictures, or no longer; frames are taken once [RoomVideo.bitrates] says how much. */
    public suspend fun show(shows: Shows): Unit = client.ask { client.core().showInRoom(id, shows) }

    /** Tells a member how large its pictures are of use here, in lines; 0 for none at all. */
    public suspend fun want(member: MemberId, camera: Int = Int.MAX_VALUE, screen: Int = Int.MAX_VALUE): Unit =
        client.ask { client.core().wantInRoom(id, member, wants(camera, screen)) }

    /** The sixty digits that two members compare; null for who is not there, or not linked yet. */
    public suspend fun safetyNumber(member: MemberId): String? = client.ask { client.core().memberSafetyNumber(id, member) }

    /** Plays a burst that was missed, where the room allows it. */
    public suspend fun replay(missed: RoomEvent.Missed): Unit =
        client.ask { client.core().replay(id, missed.member, missed.burst) }

    /** Notes that people compared words with a member, or that it no longer counts. */
    public suspend fun setVerified(member: MemberId, verified: Boolean): Unit =
        client.ask { client.core().markMember(id, member, verified) }

    /** Asks a member to mute its microphone; it is told who asks, and decides. */
    public suspend fun askToMute(member: MemberId): Unit = client.ask { client.core().askToMute(id, member) }

    /** Lets in somebody who knocks; for the creator. */
    public suspend fun admit(member: MemberId): Unit = client.ask { client.core().admit(id, member) }

    /** Puts a member out, who may enter anew; for the creator. */
    public suspend fun kick(member: MemberId): Unit = client.ask { client.core().kick(id, member) }

    /** Puts a member out for good; for the creator. */
    public suspend fun ban(member: MemberId): Unit = client.ask { client.core().ban(id, member) }

    /** Lets nobody new in, or lets people in again; for the creator. */
    public suspend fun lock(locked: Boolean): Unit = client.ask { client.core().lockRoom(id, locked) }

    /** Ends it for everybody; for the creator. */
    public suspend fun close(): Unit = client.ask { client.core().closeRoom(id) }

    /** Waits for the end. */
    public suspend fun ended(): RoomEnd = end.first { it != null }!!

    internal fun changed(now: RoomView) {
        latest.value = now
        video.rates.shown(now.shows)
    }

    /** We are out of it; the first word counts. */
    internal fun over(reason: RoomEnd) {
        end.compareAndSet(null, reason)
        video.rates.shown(null)
    }
}
