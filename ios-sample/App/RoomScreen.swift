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
                TextField(Word.name.text, text: $logic.name)
                TextField(Word.codeOrLink.text, text: $logic.typed)
                    .textInputAutocapitalization(.never)
                    .autocorrectionDisabled()
                Act(.join, "door.left.hand.open") { await logic.join() }.disabled(logic.typed.isEmpty || logic.isBusy)
            } footer: {
                Text(logic.end?.text ?? Word.joinRoomText.text)
            }
            Section {
                Act(.pushToTalk, "antenna.radiowaves.left.and.right") { await logic.open(.pushToTalk) }
                Act(.openMicrophones, "person.3") { await logic.open(.open) }
            }
            .disabled(logic.isBusy)
            if !logic.recent.isEmpty {
                Section(Word.recentRooms.text) {
                    ForEach(logic.recent, id: \.room) { recent in
                        Button(recent.name ?? Word.aRoom.text) { go { await logic.again(recent) } }
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
    let logic: RoomLogic
    @State private var isHeld = false

    var body: some View {
        List {
            Section(Word.roomMembers.text) {
                Label(Word.you.text, systemImage: "person.fill")
                if logic.view.members.isEmpty { Text(Word.roomAlone.text).foregroundStyle(.secondary) }
                ForEach(logic.view.members, id: \.member) { member in
                    HStack {
                        Label(member.name, systemImage: member.verified ? "checkmark.shield" : "person")
                        Spacer()
                        if member.word == .memberWaiting { Button(Phrase(.letIn, .text(member.name)).text) { go { await logic.admit(member.member) } } }
                        Text(member.word.text).foregroundStyle(.secondary)
                    }
                    .accessibilityElement(children: .combine)
                }
            }
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
            Text(logic.words.text).accessibilityAddTraits(.updatesFrequently)
            if logic.view.floor == nil {
                let isOn = logic.view.microphone == .on
                Act(isOn ? .mute : .unmute, isOn ? "mic.fill" : "mic.slash.fill") { await logic.mute(isOn) }
                    .buttonStyle(.borderedProminent)
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
