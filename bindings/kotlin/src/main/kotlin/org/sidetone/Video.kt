package org.sidetone

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.mapNotNull
import java.nio.ByteBuffer

/**
 * Where the pictures of the call that is on, with a friend or a stranger, go in and out, encoded: the app's encoder hands
 * frames in, its decoder takes them. Nothing looks into them on the way; they are sealed with what is known of them.
 */
public class Video internal constructor(number: ULong, private val client: Client) {
    private val number = number.toLong()
    private val heads = Heads()
    internal val rates = Rates()

    /**
     * What each encoder should make now, in bits a second: 0 while frames would go to nobody, because the path bears the voice
     * alone or nobody watches; nothing for what is not shown or in no call.
     */
    public val bitrates: StateFlow<Map<VideoSource, ULong>> = rates.now

    /** The encoders whose next frame must be a key frame: somebody cannot go on without. */
    public val keyframes: Flow<VideoSource> = client.events.mapNotNull { event ->
        ((event as? Event.Video)?.event as? VideoEvent.KeyframeWanted)?.source
    }

    /**
     * The other side's frames, each when its time has come, through calls that end and begin; ends when the client is closed.
     * A frame goes to one of those who collect.
     */
    public val frames: Flow<VideoFrame> = client.frames({ it.frames() }, ::poll)

    /**
     * Hands in the encoded frame that a direct buffer holds between its position and its limit, at most 1 MiB; the position
     * stays. Never throws but for a buffer that is not direct, and does not wait: for the thread of the source's encoder.
     */
    public fun push(info: FrameInfo, encoded: ByteBuffer): PushedFrame =
        heads.push(info, encoded) { head, bytes -> Port.sidetone_media_frame_push(number, head, bytes) }

    /** Takes the next frame of the other side whose time has come, if there is one. */
    public fun poll(): VideoFrame? =
        heads.poll { head, bytes, room -> Port.sidetone_media_frame_next(number, head, bytes, room) }
            ?.let { (info, bytes) -> VideoFrame(info, bytes) }

    /** What passed of a track in the call that is on; null without one. */
    public fun figures(source: VideoSource): VideoFigures? = client.ask { client.core().videoFigures(source) }

    /** Takes no more of the path of the call that is on than this, in bits a second: for a user who pays for bytes. */
    public fun limit(bps: ULong): Unit = client.ask { client.core().limitVideo(bps) }
}

/** An encoded frame of the other side. */
public class VideoFrame internal constructor(
    /** What is known of it. */
    public val info: FrameInfo,
    /** The frame, in a direct buffer that is the receiver's. */
    public val bytes: ByteBuffer,
)

/** Where the pictures of a room go in and out, encoded, as those of a call do in [Video]. */
public class RoomVideo internal constructor(private val room: RoomId, private val client: Client) {
    private val number = client.number
    private val heads = Heads()
    internal val rates = Rates()
    private val id = Heads.direct(ID).also { id -> room.hex.chunked(2).forEachIndexed { at, byte -> id.put(at, byte.toInt(16).toByte()) } }
    private val member = object : ThreadLocal<ByteBuffer>() {
        override fun initialValue(): ByteBuffer = Heads.direct(ID)
    }

    /** What each encoder should make now, in bits a second: 0 while nobody watches or no path bears it; nothing for what is not shown. */
    public val bitrates: StateFlow<Map<VideoSource, ULong>> = rates.now

    /** The encoders whose next frame must be a key frame: somebody cannot go on without. */
    public val keyframes: Flow<VideoSource> = client.events.mapNotNull { event ->
        ((event as? Event.RoomVideo)?.takeIf { it.room == room }?.event as? VideoEvent.KeyframeWanted)?.source
    }

    /** Everybody's frames, each when its time has come; ends when we are out of the room. A frame goes to one of those who collect. */
    public val frames: Flow<RoomFrame> = client.frames({ it.roomFrames(room) }, ::poll)

    /** Hands in a frame for everybody who watches: as [Video.push]. It is sealed once, however many do. */
    public fun push(info: FrameInfo, encoded: ByteBuffer): PushedFrame =
        heads.push(info, encoded) { head, bytes -> Port.sidetone_media_room_push(number, id, head, bytes) }

    /** Takes the next frame of anybody whose time has come, if there is one. */
    public fun poll(): RoomFrame? {
        val whose = member.get()!!
        return heads.poll { head, bytes, room -> Port.sidetone_media_room_next(number, id, head, whose, bytes, room) }
            ?.let { (info, bytes) -> RoomFrame(MemberId(hex(whose)), info, bytes) }
    }

    /** What passed of a track between us and a member; null where there is no such member. */
    public fun figures(member: MemberId, source: VideoSource): VideoFigures? =
        client.ask { client.core().roomVideoFigures(room, member, source) }

    /** Whether the path to a member bears our pictures; while it does not, the member hears us only. */
    public fun follows(member: MemberId, source: VideoSource): Boolean =
        client.ask { client.core().followsInRoom(room, member, source) }

    /** Takes no more of each path than this, in bits a second, for as long as we are in the room. */
    public fun limit(bps: ULong): Unit = client.ask { client.core().limitRoomVideo(room, bps) }

    private companion object {
        const val ID = 16

        fun hex(id: ByteBuffer) = (0 until ID).joinToString("") { "%02x".format(id.get(it)) }
    }
}

/** An encoded frame of somebody in a room. */
public class RoomFrame internal constructor(
    /** Whose. */
    public val member: MemberId,
    /** What is known of it. */
    public val info: FrameInfo,
    /** The frame, in a direct buffer that is the receiver's. */
    public val bytes: ByteBuffer,
)
