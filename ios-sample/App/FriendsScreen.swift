import SampleLogic
import Sidetone
import SidetoneDevices
import SwiftUI

struct FriendsScreen: View {
    let home: Home
    @Bindable var logic: FriendsLogic

    var body: some View {
        NavigationStack {
            List {
                ForEach(logic.groups) { group in
                    Section(group.title.text) {
                        ForEach(group.friends, id: \.user) { FriendRow(home: home, logic: logic, friend: $0) }
                    }
                }
            }
            .overlay {
                if logic.isLoading {
                    ProgressView(Word.loading.text)
                } else if logic.groups.isEmpty {
                    ContentUnavailableView(
                        Word.friendsEmpty.text, systemImage: "person.2", description: Text(Word.friendsEmptyText.text))
                }
            }
            .navigationTitle(Word.friends.text)
            .toolbar { Button { logic.isAdding = true } label: { Label(Word.addFriend.text, systemImage: "person.badge.plus") } }
            .sheet(isPresented: $logic.isAdding) { AddScreen(logic: logic) }
            .notice(of: logic)
        }
    }
}

private struct FriendRow: View {
    let home: Home
    let logic: FriendsLogic
    let friend: Friend

    var body: some View {
        switch friend.standing {
        case .askedUs:
            HStack {
                title(Word.wantsFriend)
                Spacer()
                Act(.decline, "xmark") { await logic.decline(friend.user) }
                Act(.accept, "checkmark") { await logic.accept(friend.user) }
            }
            .labelStyle(.iconOnly)
            .buttonStyle(.bordered)
        case .friend:
            NavigationLink {
                ChatScreen(home: home, peer: friend.user)
            } label: {
                HStack {
                    title(friend.online ? .online : .away)
                    Spacer()
                    if friend.changedKey != nil { Label(Word.keyChanged.text, systemImage: "exclamationmark.shield") }
                    if friend.verified { Label(Word.verified.text, systemImage: "checkmark.shield") }
                    if friend.unread > 0 {
                        Text(friend.unread.formatted())
                            .padding(.horizontal, 8)
                            .background(Color.accentColor.opacity(0.2), in: Capsule())
                            .accessibilityLabel(Phrase(.unread, .count(UInt64(friend.unread))).text)
                    }
                }
                .labelStyle(.iconOnly)
            }
            .swipeActions {
                Act(.friendsRemove, "person.badge.minus") { await logic.remove(friend.user) }.tint(.red)
                Act(.friendsBlock, "hand.raised") { await logic.block(friend.user) }
            }
            .swipeActions(edge: .leading) {
                Button(Phrase(.callName, .text(friend.name)).text) { go { await home.call(friend.user) } }.tint(.green)
            }
        case .askedByUs, .former:
            title(.asked).swipeActions { Act(.friendsRemove, "xmark") { await logic.remove(friend.user) } }
        case .blocked:
            title(.friendsBlocked).swipeActions { Act(.friendsUnblock, "hand.raised.slash") { await logic.unblock(friend.user) } }
        }
    }

    private func title(_ word: Word) -> some View {
        VStack(alignment: .leading) {
            Text(friend.name).font(.headline)
            Text(word.text).font(.subheadline).foregroundStyle(.secondary)
        }
        .accessibilityElement(children: .combine)
    }
}

private struct AddScreen: View {
    @Bindable var logic: FriendsLogic
    @Environment(\.dismiss) private var dismiss
    @State private var isScanning = false

    var body: some View {
        NavigationStack {
            Form {
                Section {
                    TextField(Word.nameOrLink.text, text: $logic.typed)
                        .textInputAutocapitalization(.never)
                        .autocorrectionDisabled()
                        .onSubmit { go { await logic.add() } }
                    Act(.askFriend, "paperplane") { await logic.add() }.disabled(logic.typed.isEmpty || logic.isBusy)
                    Button { isScanning = true } label: { Label(Word.scan.text, systemImage: "qrcode.viewfinder") }
                        .disabled(!Scanner.isSupported)
                } footer: {
                    Text(logic.asked?.text ?? Word.addText.text)
                }
                if let link = logic.link {
                    Section {
                        Code(text: link)
                        ShareLink(item: link) { Label(Word.shareLink.text, systemImage: "square.and.arrow.up") }
                    } header: {
                        Text(Word.yourCode.text)
                    } footer: {
                        Text(Word.yourCodeText.text)
                    }
                }
            }
            .navigationTitle(Word.addFriend.text)
            .toolbar { Button(Word.dismiss.text) { dismiss() } }
            .sheet(isPresented: $isScanning) {
                Scanner { text in
                    isScanning = false
                    go { await logic.add(text) }
                }
            }
            .notice(of: logic)
        }
    }
}

/// Where a friend is verified, and a changed key looked at.
struct VerifyScreen: View {
    @State var logic: VerifyLogic
    @State private var isScanning = false

    var body: some View {
        Form {
            if let friend = logic.friend {
                if friend.changedKey != nil {
                    Section {
                        Label(Word.keyChanged.text, systemImage: "exclamationmark.shield").foregroundStyle(.red)
                        Text(Phrase(.keyChangedText, .text(friend.name)).text)
                        Act(.acceptKey, "key") { await logic.acceptKey() }
                    }
                }
                Section {
                    LazyVGrid(columns: [GridItem(.adaptive(minimum: 72))]) {
                        ForEach(Array(logic.groups.enumerated()), id: \.offset) { Text($0.element).monospacedDigit() }
                    }
                    .accessibilityElement(children: .combine)
                    if let code = logic.code { Code(text: code) }
                    Button { isScanning = true } label: { Label(Word.scanTheirs.text, systemImage: "qrcode.viewfinder") }
                        .disabled(!Scanner.isSupported)
                    Act(friend.verified ? .unverify : .numbersMatch, friend.verified ? "shield.slash" : "checkmark.shield") {
                        await logic.verify(!friend.verified)
                    }
                } header: {
                    Text(friend.verified ? Word.verified.text : Word.notVerified.text)
                } footer: {
                    Text(logic.compared?.text ?? Phrase(.compareText, .text(friend.name)).text)
                }
            }
        }
        .overlay { if logic.friend == nil { ProgressView(Word.loading.text) } }
        .navigationTitle(Word.safetyNumber.text)
        .sheet(isPresented: $isScanning) {
            Scanner { text in
                isScanning = false
                go { await logic.scanned(text) }
            }
        }
        .notice(of: logic)
        .onDisappear { logic.close() }
    }
}
