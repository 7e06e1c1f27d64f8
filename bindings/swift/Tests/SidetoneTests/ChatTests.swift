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

    private func said(_ text: String, _ hers: Chat, _ his: Chat) async throws -> MessageId {
        let position = try await hers.send(text)
        try await his.latest().until { $0.contains { $0.text == text } }
        return try await hers.history().first { $0.position == position }!.id!
    }

    func testAnEditAReactionAndAnAnswerReachBothPhones() async throws {
        let (_, hers, his) = try await chats()
        let id = try await said("teh house", hers, his)
        func both(_ holds: @escaping @Sendable (Message) -> Bool) async throws {
            for chat in [hers, his] { try await chat.latest(limit: 200).until { $0.contains(where: holds) } }
        }
        try await hers.edit(id, "the house")
        try await both { $0.text == "the house" && $0.editedMs != nil }
        try await his.react(to: id, "👍")
        try await both { $0.id == id && $0.reactions.first?.emoji == "👍" }
        try await his.reply(to: id, "which one?")
        try await both { $0.text == "which one?" && $0.reply == id }
        same(try await code { try await his.edit(id, "not mine") }, .noSuchMessage)
        same(try await code { try await his.react(to: id, String(repeating: "x", count: 1_000)) }, .reactions)
    }

    func testWhoLooksAtAConversationSeesWhatChangesInIt() async throws {
        let (_, hers, his) = try await chats()
        let id = try await said("teh end", hers, his)
        try await his.markRead()
        try await hers.latest().until { $0.contains { $0.id == id && $0.state == .read } }
        // Nothing is under way any more: what his phone is told next is the edit.
        var looking = his.latest(limit: 200).makeAsyncIterator()
        _ = await looking.next()
        try await hers.edit(id, "the end")
        let rest = Unchecked(looking)
        try await patient {
            var rest = rest.value
            while let all = await rest.next() {
                if all.contains(where: { $0.text == "the end" }) { return }
            }
            throw InVain(description: "closed")
        }
    }

    func testWhatIsTakenBackIsGoneFromBothPhones() async throws {
        let (_, hers, his) = try await chats()
        let id = try await said("a secret", hers, his)
        try await hers.takeBack(id)
        for chat in [hers, his] {
            try await chat.latest(limit: 200).until { $0.contains { $0.id == id && $0.content == .deleted && $0.text.isEmpty } }
        }
        same(try await code { try await hers.edit(id, "again") }, .noSuchMessage)
        same(try await code { try await hers.takeBack(MessageId(hex: "00")) }, .notAnId)
    }

    func testASearchFindsWhatWasSaidPageByPage() async throws {
        let (duo, hers, _) = try await chats()
        for number in 1...120 { try await hers.send("needle \(number)") }
        func found(_ words: String) async throws -> [String] {
            var texts: [String] = []
            for try await hit in try duo.anna.search(words) { texts.append(hit.message.text) }
            return texts
        }
        same(try await found("NEEDLE"), (1...120).reversed().map { "needle \($0)" })
        same(try await found("haystack"), [])
        same(try await code { try await found(" ") }, .textLength)
    }

    func testADraftATimerAndAPlaceBelongToTheConversation() async throws {
        let (duo, hers, _) = try await chats()
        try await hers.setDraft("I wanted to s")
        try await hers.setTimer(seconds: 3_600)
        same(try await code { try await hers.setTimer(seconds: 0) }, .stayRange)
        try await hers.setStorage(.ephemeral)
        let view = try await duo.anna.chats()[0]
        same(view.draft, "I wanted to s")
        same(view.ourStayS, 3_600)
        same(view.storage, .ephemeral)
        try await hers.setDraft("")
        try await hers.setTimer(seconds: nil)
        try await hers.setStorage(.kept)
        let draft = try await duo.anna.chats()[0].draft
        XCTAssertNil(draft)
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
