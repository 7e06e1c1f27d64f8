import SampleLogic
import Sidetone
import SwiftUI

struct RoomsScreen: View {
    @Bindable var logic: RoomsLogic

    var body: some View {
        NavigationStack {
            if let room = logic.room { RoomScreen(logic: room) } else { door }
        }
    }

    private var door: some View {
        Form {
            Section {
                TextField(Word.codeOrLink.text, text: $logic.typed)
                    .textInputAutocapitalization(.never)
                    .autocorrectionDisabled()
                Act(.join, "door.left.hand.open") { await logic.join() }.disabled(logic.typed.isEmpty || logic.isBusy)
            } header: {
                Text(Word.joinRoom.text)
            } footer: {
                Text(logic.end?.text ?? Word.joinRoomText.text)
            }
            Section(Word.openRoom.text) {
                TextField(Word.roomName.text, text: $logic.name)
                Act(.pushToTalk, "antenna.radiowaves.left.and.right") { await logic.open(.pushToTalk) }
                Act(.openMicrophones, "person.3") { await logic.open(.open) }
            }
            .disabled(logic.isBusy)
            if !logic.recent.isEmpty {
                Section(Word.recentRooms.text) {
                    ForEach(logic.recent, id: \.room) { recent in
                        Button { go { await logic.again(recent) } } label: {
                            LabeledContent(recent.name ?? Word.aRoom.text, value: Phrase(.asName, .text(recent.shown)).text)
                        }
                            .swipeActions { Act(.forget, "trash") { await logic.forget(recent) }.tint(.red) }
                    }
                }
            }
        }
        .navigationTitle(Word.rooms.text)
        .notice(of: logic)
    }
}

struct RoomScreen: View {
    @Bindable var logic: RoomLogic
    @State private var isHeld = false

    var body: some View {
        List {
            Section(Phrase(.members, .count(UInt64(logic.view.members.count + 1))).text) {
                if logic.view.members.isEmpty { Text(Word.roomAlone.text).foregroundStyle(.secondary) }
                ForEach(logic.view.members, id: \.member) { member in
                    MemberRow(logic: logic, member: member)
                }
            }
            if !logic.missed.isEmpty || !logic.said.isEmpty {
                Section {
                    ForEach(logic.missed, id: \.self) { one in
                        LabeledContent(Phrase(.missed, .text(logic.name(one.member).text)).text) { Act(.play, "play") { await logic.replay(one) } }
                    }
                    ForEach(Array(logic.said.enumerated()), id: \.offset) { LabeledContent(logic.name($0.element.member).text, value: $0.element.text) }
                }
            }
            Section { TextField(Word.write.text, text: $logic.draft).onSubmit { go { await logic.say() } } }
            Section {
                if let link = logic.link { ShareLink(item: link) { Label(Word.shareLink.text, systemImage: "link") } }
                if let code = logic.code {
                    LabeledContent(Word.spokenCode.text, value: code).textSelection(.enabled)
                } else {
                    Act(.openCode, "number") { await logic.openCode() }
                }
            }
            if let phrase = logic.phrase {
                Section { Text(phrase) } header: { Text(Word.groupPhrase.text) } footer: { Text(Word.groupPhraseText.text) }
            }
        }
        .safeAreaInset(edge: .bottom) { button }
        .navigationTitle(logic.view.name ?? Word.aRoom.text)
        .toolbar { Act(.leave, "rectangle.portrait.and.arrow.right") { await logic.leave() } }
        .notice(of: logic)
    }

    private var button: some View {
        VStack {
            if !logic.view.online { Notice(word: .offlineRoom, icon: "wifi.slash") }
            if let who = logic.muteAsked {
                Notice(Phrase(.muteAsked, .text(logic.name(who).text)), icon: "mic.slash")
                Act(.mute, "mic.slash") { await logic.mute(true) }
            }
            if logic.endingS > 0 { Text(Phrase(.floorEnding, .number(logic.endingS)).text).foregroundStyle(.red) }
            Text(logic.refused?.text ?? logic.words.text).accessibilityAddTraits(.updatesFrequently)
            if logic.view.floor == nil {
                let isOn = logic.view.microphone == .on
                Act(isOn ? .mute : .unmute, isOn ? "mic.fill" : "mic.slash.fill") { await logic.mute(isOn) }
                    .buttonStyle(.borderedProminent)
                Act(logic.view.hand ? .lowerHand : .raiseHand, "hand.raised") { await logic.raiseHand(!logic.view.hand) }
            } else {
                Label(Word.holdToTalk.text, systemImage: "mic.fill")
                    .font(.title2.bold())
                    .frame(maxWidth: .infinity)
                    .padding(24)
                    .background((isHeld ? Color.red : Color.accentColor).opacity(0.25), in: Capsule())
                    .gesture(DragGesture(minimumDistance: 0).onChanged { _ in hold(true) }.onEnded { _ in hold(false) })
                    .accessibilityAddTraits(.isButton)
                    .accessibilityAction { hold(!isHeld) }
            }
        }
        .padding()
        .background(.bar)
    }

    private func hold(_ down: Bool) {
        guard down != isHeld else { return }
        isHeld = down
        go { await logic.hold(down) }
    }
}

private struct MemberRow: View {
    let logic: RoomLogic
    let member: RoomMember

    var body: some View {
        HStack {
            Label(member.name, systemImage: member.verified ? "checkmark.shield" : "person")
            if member.hand { Label(Word.hand.text, systemImage: "hand.raised.fill").labelStyle(.iconOnly) }
            if member.microphone == .off { Label(Word.theyAreMuted.text, systemImage: "mic.slash").labelStyle(.iconOnly) }
            Spacer()
            if member.word == .memberWaiting {
                Button(Phrase(.letIn, .text(member.name)).text) { go { await logic.admit(member.member) } }
            }
            Text((logic.speaks(member) ? Word.speaks : member.word).text).foregroundStyle(.secondary)
        }
        .accessibilityElement(children: .combine)
        .swipeActions {
            if logic.view.creator { Button(Phrase(.putOut, .text(member.name)).text, role: .destructive) { go { await logic.kick(member.member) } } }
        }
    }
}
