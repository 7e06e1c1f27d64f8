import XCTest

@testable import Sidetone

final class ChatTests: XCTestCase {
    private static let meeting = Task { try await Phones.friends() }

    private func chats() async throws -> (Duo, Chat, Chat) {
        let duo = try await Self.meeting.value
        return (duo, duo.anna.chat(with: duo.benId), duo.ben.chat(with: duo.annaId))
    }

    func testATextArrivesAndItsSenderLearnsThatItWasRead() async throws {
        let (_, hers, his) = try await chats()
        let text = "Grüße, 👋 \0 and \u{202E}"
        let position = try await hers.send(text)
        try await his.latest().until { $0.first?.text == text }
        try await hers.latest().until { $0.contains { $0.position == position && $0.state == .delivered } }
        try await his.markRead()
        try await hers.latest().until { $0.contains { $0.position == position && $0.state == .read } }
    }

    func testTwentyTextsEachWayKeepTheirOrder() async throws {
        let (_, hers, his) = try await chats()
        for number in 0..<20 {
            try await hers.send("hers \(number)")
            try await his.send("his \(number)")
        }
        for (chat, side) in [(hers, "his "), (his, "hers ")] {
            let all = try await chat.latest(limit: 200).until { $0.count { $0.text.hasPrefix(side) } == 20 }
            same(all.map(\.text).filter { $0.hasPrefix(side) }, (0..<20).reversed().map { "\(side)\($0)" })
        }
    }

    func testATextIsNeitherEmptyNorEndless() async throws {
        let (_, hers, _) = try await chats()
        for length in [0, 65_537, 5_000_000] {
            same(try await code { try await hers.send(String(repeating: "x", count: length)) }, .textLength)
        }
    }

    func testATextOfFullLengthArrivesWhole() async throws {
        let (_, hers, his) = try await chats()
        let text = String(repeating: "\u{1d11e}", count: 16_384)
        try await hers.send(text)
        try await his.latest().until { $0.contains { $0.text == text } }
    }

    func testOnlyFriendsWriteToEachOther() async throws {
        let (duo, _, _) = try await chats()
        let nobody = UserId(hex: String(repeating: "11", count: 16))
        same(try await code { try await duo.anna.chat(with: nobody).send("hello") }, .notFriends)
    }

    func testAConversationIsReadPageByPage() async throws {
        let (_, hers, _) = try await chats()
        var positions: [UInt64] = []
        for number in 1...7 { positions.append(try await hers.send("page \(number)")) }
        let first = try await hers.history(limit: 3)
        same(first.map(\.position), positions.suffix(3).reversed())
        let next = try await hers.history(limit: 3, before: first.last!.position)
        same(next.map(\.position), positions.dropFirst().prefix(3).reversed())
    }

    func testUnreadMessagesAreCountedUntilTheyAreRead() async throws {
        let (duo, hers, his) = try await chats()
        try await his.markRead()
        try await duo.ben.friends.until { $0.first?.unread == 0 }
        for number in 0..<3 { try await hers.send("unread \(number)") }
        try await duo.ben.friends.until { $0.first?.unread == 3 }
        try await his.markRead()
        try await duo.ben.friends.until { $0.first?.unread == 0 }
    }

    func testAFriendIsSeenWriting() async throws {
        let (_, hers, his) = try await chats()
        try await hers.send("to open the link")
        try await his.latest().until { $0.contains { $0.text == "to open the link" } }
        let typists = his.typists
        let writing = Task {
            while !Task.isCancelled { try await hers.typing() }
        }
        try await typists.until { _ in true }
        writing.cancel()
    }
}
