import Foundation

/// What a client shows.
final class Board: Sendable {
    let online = Latest(false)
    let account = Latest<AccountView?>(nil)
    let friends = Latest<[Friend]>([])
    let calls = Latest<[CallView]>([])
    let transfers = Latest<[Transfer]>([])
    let audio = Latest(AudioIntent.idle)
    let rooms = Latest<[RoomView]>([])
    let rates = Rates()
    let stranger = Latest<StrangerView>(.lobby(parted: nil))
    private let known = Known()
    private let stays = Stays()

    func call(_ view: CallView) -> Latest<CallView> { known.latest(of: view) }

    func stay(_ view: RoomView) -> Stay { stays.of(view) }

    func note(_ event: Event) {
        switch event {
        case .online: online.set(true)
        case .offline, .stopped: online.set(false)
        case .call(let view): known.changed(view)
        case .video(_, let event): rates.note(event)
        case .roomVideo(let room, let event): stays.known(room)?.rates.note(event)
        case .room(let room, .ended(let reason)): stays.over(room, reason)
        default: break
        }
    }

    /// Reads again what an event hints at; a client that closes meanwhile says so with its next batch.
    func read(_ event: Event, from raw: RawClient) async {
        do {
            switch event {
            case .signedIn, .signedOut, .revoked, .refresh:
                account.set(try await raw.account())
                friends.set(try await raw.friends())
                transfers.set(try await raw.transfers())
                try await readRooms(raw, afresh: true)
                stranger.set(try await raw.stranger())
                try await readCalls(raw)
            case .friend, .message, .online, .offline: friends.set(try await raw.friends())
            case .call: try await readCalls(raw)
            // These change nothing in the room's view.
            case .room(_, .loud), .room(_, .text), .room(_, .reaction), .room(_, .muteAsked): break
            case .room: try await readRooms(raw)
            case .stranger(.typing): break
            case .stranger:
                stranger.set(try await raw.stranger())
                settlePictures()
                settleSound()
            case .transfer: transfers.set(try await raw.transfers())
            case .marks, .typing, .announcement, .stopped, .amended, .chat, .preferences, .video, .roomVideo,
                .networkUntold:
                break
            }
        } catch {}
    }

    private func readCalls(_ raw: RawClient) async throws {
        let now = try await raw.calls()
        now.forEach(known.changed)
        calls.set(now)
        settlePictures()
        settleSound()
    }

    private func settlePictures() { rates.shown(calls.value.first?.shows ?? stranger.value.stranger?.call?.shows) }

    private func readRooms(_ raw: RawClient, afresh: Bool = false) async throws {
        let before = stays.ids
        let now = try await raw.rooms()
        now.forEach { stays.of($0).changed($0) }
        // Events were missed: the word with which a room ended may be among them.
        if afresh { before.subtracting(now.map(\.room)).forEach { stays.over($0, .lost) } }
        rooms.set(now)
        settleSound()
    }

    private func settleSound() {
        audio.set(audioIntent(calls: calls.value, rooms: rooms.value, stranger: stranger.value.stranger?.call))
    }

    func finish() {
        online.finish()
        account.finish()
        friends.finish()
        calls.finish()
        transfers.finish()
        audio.finish()
        rooms.finish()
        rates.now.finish()
        stranger.finish()
        known.finish()
        stays.finish()
    }
}

/// The calls that somebody may hold.
private final class Known: @unchecked Sendable {
    // Guards what is below it.
    private let lock = NSLock()
    private var calls: [CallId: Latest<CallView>] = [:]
    /// How the last calls ended: who comes with an older look at one must not wait for ever.
    private var past: [CallView] = []

    func latest(of view: CallView) -> Latest<CallView> {
        lock.withLock {
            if let known = calls[view.call] { return known }
            let new = Latest(past.first { $0.call == view.call } ?? view)
            if new.value.state.isOver { new.finish() } else { calls[view.call] = new }
            return new
        }
    }

    func changed(_ view: CallView) {
        let call = latest(of: view)
        call.set(view)
        if view.state.isOver {
            call.finish()
            lock.withLock {
                calls.removeValue(forKey: view.call)
                past = [view] + past.prefix(15)
            }
        }
    }

    func finish() {
        let last = lock.withLock {
            defer { calls = [:] }
            return Array(calls.values)
        }
        // Closing hangs up.
        for call in last {
            call.set(call.value.over)
            call.finish()
        }
    }
}

/// The rooms that somebody may hold.
private final class Stays: @unchecked Sendable {
    // Guards what is below it.
    private let lock = NSLock()
    private var stays: [RoomId: Stay] = [:]

    var ids: Set<RoomId> { lock.withLock { Set(stays.keys) } }

    func of(_ view: RoomView) -> Stay {
        lock.withLock {
            if let known = stays[view.room] { return known }
            let new = Stay(view)
            stays[view.room] = new
            return new
        }
    }

    func known(_ room: RoomId) -> Stay? { lock.withLock { stays[room] } }

    func over(_ room: RoomId, _ reason: RoomEnd) {
        lock.withLock { stays.removeValue(forKey: room) }?.over(reason)
    }

    func finish() {
        ids.forEach { over($0, .left) }
    }
}

/// What every encoder should make, as the library tells it: of what is shown. Either may be told first, and late.
final class Rates: @unchecked Sendable {
    let now = Latest<[VideoSource: UInt64]>([:])
    // Guards what is below it.
    private let lock = NSLock()
    private var told: [VideoSource: UInt64] = [:]
    private var shows: Shows?

    func note(_ event: VideoEvent) {
        lock.withLock {
            switch event {
            case .bitrate(let source, let bps): told[source] = bps
            case .paused(let source, _): told[source] = 0
            case .keyframeWanted, .resumed: break
            }
            settle()
        }
    }

    func shown(_ new: Shows?) {
        lock.withLock {
            shows = new
            settle()
        }
    }

    private func settle() {
        now.set(told.filter { $0.key == .camera ? shows?.camera == true : shows?.screen != nil })
    }
}
