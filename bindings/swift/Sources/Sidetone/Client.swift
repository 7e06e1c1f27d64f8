import Foundation

/// One phone's Sidetone.
///
/// Every function may be called from any thread or actor, the main actor too. What an app shows it follows in the
/// `Latest` values, which always hold the truth; `events` tells what happened meanwhile.
public final class Client: Sendable {
    let raw: RawClient
    let board = Board()
    let told = Told<Event>()
    private let pump: Task<Void, Never>

    /// Where the sound goes in and out.
    public let sound: Sound

    /// Opens a client: asks the vault for the key, opens the store, and starts to connect.
    ///
    /// Throws a `SidetoneError` with one of the codes above 200, and `CancellationError` in a task that is cancelled meanwhile;
    /// then nothing is left running.
    public static func open(_ options: ClientOptions, vault: any KeyVault) async throws -> Client {
        let raw = try await Task.detached { try RawClient.open(options: options, vault: vault) }.value
        let client = Client(raw)
        if Task.isCancelled {
            // Whoever was cancelled will not close it.
            await client.close()
            throw CancellationError()
        }
        return client
    }

    private init(_ raw: RawClient) {
        self.raw = raw
        sound = Sound(number: raw.sound().value)
        pump = Task.detached { [board, told] in
            await board.read(.refresh, from: raw)
            while true {
                let batch = await raw.nextEvents()
                if batch.isEmpty { break }
                batch.forEach(board.note)
                for event in batch { await board.read(event, from: raw) }
                batch.forEach(told.tell)
            }
            board.finish()
            told.finish()
        }
    }

    /// Ends everything and returns when all of it is gone; again is harmless. Nothing is told afterwards.
    public func close() async {
        await raw.shutDown()
        await pump.value
    }

    /// What happened, in order, from now on. Who follows too slowly misses the oldest; the `Latest` values never lie.
    public var events: AsyncStream<Event> { told.stream { $0 } }

    /// Whether the server knows that we are here.
    public var online: Latest<Bool> { board.online }

    /// The account of this device, if there is one.
    public var account: Latest<AccountView?> { board.account }

    /// Everybody the account has something to do with.
    public var friends: Latest<[Friend]> { board.friends }

    /// The calls that are on.
    public var calls: Latest<[CallView]> { board.calls }

    /// What the phone's sound should be set to.
    public var audio: Latest<AudioIntent> { board.audio }

    /// The rooms we are in.
    public var rooms: Latest<[RoomView]> { board.rooms }

    /// Random chat with somebody unknown.
    public var strangers: Strangers { Strangers(client: self) }

    /// Where the pictures of the call that is on go in and out.
    public var video: Video { Video(client: self) }

    /// Calls that begin to ring here, from now on, each once.
    public var incoming: AsyncStream<Call> {
        let calls = board.calls.values
        let (stream, caller) = AsyncStream<Call>.makeStream()
        let watch = Task { [weak self] in
            var before = Set<CallId>()
            for await now in calls {
                let ringing = now.filter { $0.state == .ringing && $0.direction == .incoming }
                for view in ringing where !before.contains(view.call) {
                    if let self { caller.yield(self.of(view)) }
                }
                before = Set(ringing.map(\.call))
            }
            caller.finish()
        }
        caller.onTermination = { _ in watch.cancel() }
        return stream
    }

    /// The phone has another network, or its network is back: for `NWPathMonitor`.
    public func networkChanged(_ network: NetworkSnapshot) { raw.networkChanged(network: network) }

    /// The app is seen again: for `sceneWillEnterForeground`.
    public func onForeground() { raw.onForeground() }

    /// The app may be ended at any moment; returns when everything is in the store's file.
    public func onBackground() async throws { try await raw.onBackground() }

    /// Makes an account and enters it. Cancelling the task ends the wait at once.
    public func register(name: String, email: String, password: String) async throws {
        _ = try await raw.register(name: name, email: email, password: password).value
    }

    /// Enters an account from this device; friends see that the key changed.
    public func signIn(name: String, password: String) async throws {
        _ = try await raw.signIn(name: name, password: password).value
    }

    /// Leaves the account and forgets everything about it on this device.
    public func signOut() async throws { _ = try await raw.signOut().value }

    /// Deletes the account at the server and everything about it on this device.
    public func deleteAccount() async throws { _ = try await raw.deleteAccount().value }

    /// Everything the server keeps about the account, as JSON.
    public func exportAccount() async throws -> String {
        guard case .text(let text) = try await raw.exportAccount().value else { return "" }
        return text
    }

    /// Chooses who may learn this phone's addresses.
    public func setAddresses(_ rule: AddressRule) async throws { try await raw.setAddresses(rule: rule) }
    /// How the way to a friend stands, why, and the one thing that helps.
    public func connectivity(user: UserId) async throws -> ConnectivityReport { try await raw.connectivity(user: user) }
    /// Chooses whether one friend may learn this phone's addresses; nil for what counts for others.
    public func setAddresses(_ rule: AddressRule?, for user: UserId) async throws {
        try await raw.setAddressesFor(user: user, rule: rule)
    }

    /// By what push services know the server (RFC 8292): what a phone names when it subscribes to Web Push.
    public func pushKey() async throws -> Data { try await raw.pushKey() }

    /// Where this phone is woken when a friend calls; nil for nowhere. To be told each time the client is opened.
    public func setPush(_ address: PushAddress?) async throws { try await raw.setPush(address: address) }

    /// A wake-up came: the client connects at once, and what it is about shows as it would have anyway.
    public func handlePush() { raw.handlePush() }

    /// Chooses whether friends learn what was read.
    public func setReceipts(_ rule: ReceiptRule) async throws { try await raw.setReceipts(rule: rule) }

    /// Every conversation, the one with the newest entry first.
    public func chats() async throws -> [ChatView] { try await raw.chats() }

    /// Texts that hold these words, newest first, of one conversation or of all; read as far as they are followed.
    public func search(_ words: String, in peer: UserId? = nil) throws -> AsyncThrowingStream<Hit, any Error> {
        let search = try raw.search(peer: peer, words: words)
        let page = Page()
        return AsyncThrowingStream {
            if let hit = page.pop() { return hit }
            page.hits = try await search.next(limit: 50).reversed()
            return page.pop()
        }
    }

    /// What the user of this device prefers; `Event.preferences` tells that it changed.
    public func preferences() async throws -> Preferences { try await raw.preferences() }

    /// Chooses how the app looks.
    public func prefer(_ theme: Theme) async throws { try await raw.preferTheme(theme: theme) }

    /// Chooses which routes the links made from now on may take.
    public func prefer(_ routes: RouteRule) async throws { try await raw.preferRoutes(rule: routes) }

    /// Chooses up to how many bytes files of friends are taken without asking.
    public func preferAcceptBelow(bytes: UInt64) async throws { try await raw.preferAcceptBelow(bytes: bytes) }

    /// Chooses the language of the app as a BCP 47 tag; nil for the system's.
    public func preferLanguage(_ tag: String?) async throws { try await raw.preferLanguage(tag: tag) }

    /// Writes everything kept on this device into a folder, readable; a passphrase seals the identity into it.
    @discardableResult
    public func exportData(
        to folder: String, passphrase: String? = nil, server: ServerExport = .omitted
    ) async throws -> ExportReport {
        let outcome = try await raw.exportData(folder: folder, passphrase: passphrase, server: server).value
        guard case .exported(let report) = outcome else { preconditionFailure("an export ends with a report") }
        return report
    }

    /// What this client did since it was opened, in numbers: for a page that a user shows to whoever helps.
    public func diagnostics() async throws -> Diagnostics { try await raw.diagnostics() }

    /// What passed with friends, rooms and strangers of late, newest first: for the user to see. It is in memory only.
    public func privacyReceipts() async throws -> [PrivacyReceipt] { try await raw.privacyReceipts() }

    /// Which files are taken, and which without asking.
    public func filePolicy() async throws -> FilePolicy { try await raw.filePolicy() }

    /// Chooses which files are taken, and which without asking.
    public func setFilePolicy(_ policy: FilePolicy) async throws { try await raw.setFilePolicy(policy: policy) }

    /// Destroys everything on this device, the folder with downloads with it, and closes the client. The account stays.
    @discardableResult
    public func wipe(downloads: String? = nil) async throws -> WipeReport {
        let report = try await raw.wipe(downloads: downloads)
        await close()
        return report
    }

    /// Transfers of files that are not over.
    public var transfers: Latest<[Transfer]> { board.transfers }

    /// Takes a file that was offered.
    public func acceptFile(_ transfer: TransferId) async throws { try await raw.acceptFile(transfer: transfer) }

    /// Does not take a file that was offered; its sender is told.
    public func declineFile(_ transfer: TransferId) async throws { try await raw.declineFile(transfer: transfer) }

    /// Holds a transfer; what arrived stays.
    public func pauseFile(_ transfer: TransferId) async throws { try await raw.pauseFile(transfer: transfer) }

    /// Lets a transfer go on that was held here.
    public func resumeFile(_ transfer: TransferId) async throws { try await raw.resumeFile(transfer: transfer) }

    /// Gives a transfer up, from either side.
    public func cancelFile(_ transfer: TransferId) async throws { try await raw.cancelFile(transfer: transfer) }

    /// Lets go of the store's file until `onForeground`; returns when the file is free.
    public func pause() async throws { try await raw.pause() }

    /// Whether everything kept is whole; throws the code `storage` if it is not.
    public func checkStore() async throws { try await raw.checkStore() }

    /// The conversation with a friend.
    public func chat(with peer: UserId) -> Chat { Chat(peer: peer, client: self) }

    /// Calls a friend and returns while it rings there.
    public func call(_ peer: UserId) async throws -> Call {
        let id = try await raw.call(peer: peer)
        let view = try await raw.calls().first { $0.call == id }
        return of(view ?? .gone(id, peer))
    }

    /// The call behind what `calls` shows.
    public func of(_ view: CallView) -> Call { Call(board.call(view), client: self) }
}

/// Rooms.
extension Client {
    /// Opens a room and enters it as its creator, with an account or without; `usualPolicy()` is a good begin.
    public func createRoom(_ policy: RoomPolicy, as us: RoomGuest, name: String? = nil) async throws -> Room {
        try await room(raw.createRoom(policy: policy, name: name, us: us))
    }

    /// Enters a room by its link: what a person pasted or scanned.
    public func joinLink(_ link: String, as us: RoomGuest) async throws -> Room {
        try await room(raw.joinLink(link: link, us: us))
    }

    /// Enters a room by a code that was said aloud, such as `4711-acid-lemon`.
    public func joinCode(_ code: String, as us: RoomGuest) async throws -> Room {
        try await room(raw.joinCode(code: code, us: us))
    }

    /// A code that lets others in, as a link: to be pasted, or scanned as a QR code.
    public func codeLink(_ code: String) throws -> String { try raw.codeLink(code: code) }

    /// Enters a remembered room again, as whom we were there.
    public func rejoin(_ id: RoomId) async throws -> Room { try await room(raw.rejoinRoom(room: id)) }

    /// The rooms that this device remembers.
    public func recentRooms() async throws -> [RecentRoom] { try await raw.recentRooms() }

    /// Forgets a remembered room that was left.
    public func forgetRoom(_ room: RoomId) async throws { try await raw.forgetRoom(room: room) }

    /// The room behind what `rooms` shows.
    public func of(_ view: RoomView) -> Room { Room(board.stay(view), client: self) }

    private func room(_ id: RoomId) async throws -> Room {
        guard let view = try await raw.rooms().first(where: { $0.room == id }) else {
            throw SidetoneError.gone(.noSuchRoom, "the room is over")
        }
        let room = of(view)
        board.stay(view).changed(view)
        return room
    }
}

/// What is kept, while no client has it open.
extension Client {
    /// Reads the export in a folder into a store that holds nothing yet and that no client has open.
    public static func importData(
        from folder: String, into store: String, files: String? = nil, vault: any KeyVault, passphrase: String? = nil
    ) async throws -> ImportReport {
        try await Task.detached {
            try Sidetone.importData(folder: folder, store: store, files: files, vault: vault, passphrase: passphrase)
        }.value
    }

    /// Exports what can still be read of a damaged store that no client has open; it is left as it is.
    public static func salvageData(
        of store: String, vault: any KeyVault, to folder: String, passphrase: String? = nil
    ) async throws -> ExportReport {
        try await Task.detached {
            try Sidetone.salvageData(store: store, vault: vault, folder: folder, passphrase: passphrase)
        }.value
    }

    /// Forgets a part of a store that no client has open.
    public static func forgetData(in store: String, vault: any KeyVault, part: StorePart) async throws {
        try await Task.detached { try Sidetone.forgetData(store: store, vault: vault, part: part) }.value
    }
}

/// Friends.
extension Client {
    /// Asks the person with exactly this name to be a friend; a key that came by link or code is pinned.
    public func befriend(_ name: String, key: PublicKey? = nil) async throws -> UserId {
        guard case .person(let user) = try await raw.befriend(name: name, key: key).value else {
            preconditionFailure("befriending ends with a person")
        }
        return user
    }

    /// Accepts a friend request.
    public func accept(_ user: UserId) async throws { try await raw.accept(user: user) }

    /// Declines a friend request; its sender is not told.
    public func decline(_ user: UserId) async throws { try await raw.decline(user: user) }

    /// Ends a friendship or withdraws a request.
    public func unfriend(_ user: UserId) async throws { try await raw.unfriend(user: user) }

    /// Ends whatever there is with a person and refuses all that comes from them.
    public func block(_ user: UserId) async throws { try await raw.block(user: user) }

    /// Lifts a block.
    public func unblock(_ user: UserId) async throws { try await raw.unblock(user: user) }

    /// Notes that people compared the safety number, or that it no longer counts.
    public func setVerified(_ user: UserId, _ verified: Bool) async throws {
        if verified { try await raw.markVerified(user: user) } else { try await raw.markUnverified(user: user) }
    }

    /// Takes the key that a friend has now for theirs, after `Friend.changedKey` was shown to the user.
    public func acceptKey(_ user: UserId, key: PublicKey) async throws { try await raw.acceptKey(user: user, key: key) }

    /// One person, as of now.
    public func friend(_ user: UserId) async throws -> Friend? { try await raw.friend(user: user) }

    /// The sixty digits that two friends compare.
    public func safetyNumber(_ user: UserId) async throws -> String? { try await raw.safetyNumber(user: user) }

    /// The same as the text of a QR code.
    public func safetyCode(_ user: UserId) async throws -> String? { try await raw.safetyCode(user: user) }

    /// Compares a friend's scanned code with ours; if they match, the friend is verified.
    public func scan(_ user: UserId, code: String) async throws -> Comparison {
        try await raw.scan(user: user, scanned: code)
    }
}

/// What a search read and nobody took yet, newest last. Only ever in the hands of the one who follows the search.
private final class Page: @unchecked Sendable {
    var hits: [Hit] = []

    func pop() -> Hit? { hits.popLast() }
}
