import Foundation
import Observation
import Sidetone

/// People with one standing, under one title.
public struct FriendGroup: Hashable, Sendable, Identifiable {
    public let title: Word
    public let friends: [Friend]
    public var id: Word { title }
}

@MainActor @Observable
public final class FriendsLogic: Logic {
    public private(set) var isLoading = true
    public private(set) var me: AccountView?
    public private(set) var groups: [FriendGroup] = []
    /// What is typed to add somebody.
    public var typed = ""
    public var isAdding = false
    public private(set) var isBusy = false
    /// Who was just asked.
    public private(set) var asked: Phrase?
    @ObservationIgnored private let client: Client

    init(_ client: Client) {
        (self.client, me) = (client, client.account.value)
        super.init()
        follow(client.account.values) { [weak self] in self?.me = $0 }
        follow(client.friends.values) { [weak self] in self?.show($0) }
    }

    public var link: String? { me.map { Invitation(of: $0).link } }

    /// Asks whoever was typed, pasted or scanned to be a friend.
    public func add(_ text: String? = nil) async {
        let whom = Invitation(text ?? typed)
        (isBusy, asked) = (true, nil)
        if await attempt({ _ = try await client.befriend(whom.name, key: whom.key) }) {
            (typed, asked) = ("", Phrase(.askedName, .text(whom.name)))
        }
        isBusy = false
    }

    public func accept(_ user: UserId) async { await attempt { try await client.accept(user) } }
    public func decline(_ user: UserId) async { await attempt { try await client.decline(user) } }
    public func remove(_ user: UserId) async { await attempt { try await client.unfriend(user) } }
    public func block(_ user: UserId) async { await attempt { try await client.block(user) } }
    public func unblock(_ user: UserId) async { await attempt { try await client.unblock(user) } }

    private func show(_ all: [Friend]) {
        isLoading = false
        let titles: [(Word, Standing)] = [
            (.wantsFriend, .askedUs), (.friends, .friend), (.asked, .askedByUs), (.friendsBlocked, .blocked),
        ]
        groups = titles.map { title, standing in
            let some = all.filter { $0.standing == standing }
            return FriendGroup(title: title, friends: some.sorted { ($1.online ? 0 : 1, $0.name) < ($0.online ? 0 : 1, $1.name) })
        }.filter { !$0.friends.isEmpty }
    }
}

/// The safety number of a friend; also where a changed key is looked at.
@MainActor @Observable
public final class VerifyLogic: Logic {
    public private(set) var friend: Friend?
    /// Twelve groups of five digits.
    public private(set) var groups: [String] = []
    public private(set) var code: String?
    /// What comparing the scanned code said.
    public private(set) var compared: Phrase?
    @ObservationIgnored private let client: Client
    @ObservationIgnored private let peer: UserId

    init(_ client: Client, _ peer: UserId) {
        (self.client, self.peer) = (client, peer)
        super.init()
        follow(client.friends.values) { [weak self] in await self?.show($0) }
    }

    public func scanned(_ code: String) async {
        await attempt {
            let same = try await client.scan(peer, code: code) == .match
            compared = Phrase(same ? .codesMatch : .codesDiffer)
        }
    }

    /// The people compared the digits.
    public func verify(_ verified: Bool) async { await attempt { try await client.setVerified(peer, verified) } }

    /// The friend's new key is theirs.
    public func acceptKey() async {
        await attempt { if let key = friend?.changedKey { try await client.acceptKey(peer, key: key) } }
    }

    private func show(_ all: [Friend]) async {
        friend = all.first { $0.user == peer }
        await refresh {
            let digits = Array((try await client.safetyNumber(peer) ?? "").filter(\.isNumber))
            groups = stride(from: 0, to: digits.count, by: 5).map { String(digits[$0..<min($0 + 5, digits.count)]) }
            code = try await client.safetyCode(peer)
        }
    }
}
