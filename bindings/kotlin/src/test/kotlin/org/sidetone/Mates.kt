package org.sidetone

fun guest(name: String, memory: RoomMemory = RoomMemory.NOTHING) = RoomGuest(name, memory, false)

val talking = usualPolicy().copy(scope = RoomScope.CODE, speaking = Speaking.PUSH_TO_TALK)

/** Two phones without an account in one room, each with a link to the other. */
class Mates(val anna: Client, val ben: Client, val hers: Room, val his: Room) {
    suspend fun linked() {
        for (room in listOf(hers, his)) room.view.until { it.members.singleOrNull()?.presence is MemberPresence.Here }
    }

    suspend fun close() {
        anna.close()
        ben.close()
    }

    companion object {
        suspend fun meet(policy: RoomPolicy, memory: RoomMemory = RoomMemory.NOTHING, store: String? = null): Mates {
            val (anna, ben) = Phones.bare() to Phones.bare(store = store)
            val hers = anna.createRoom(policy, guest("Anna"), "kitchen")
            return Mates(anna, ben, hers, ben.joinLink(hers.link(), guest("Ben", memory)))
        }

        suspend fun linked(policy: RoomPolicy) = meet(policy).also { it.linked() }
    }
}
