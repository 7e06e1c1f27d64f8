import SampleLogic
import Sidetone
import SwiftUI

struct StrangersScreen: View {
    @Bindable var logic: StrangersLogic

    var body: some View {
        NavigationStack {
            Group {
                switch logic.view {
                case .lobby: lobby
                case .searching(let working): waiting(working ? .searchWorking : .searching)
                case .found(_, let common, let accepted, _): found(common, accepted)
                case .with(let stranger): Conversation(logic: logic, stranger: stranger)
                }
            }
            .navigationTitle(Word.strangers.text)
            .notice(of: logic)
        }
    }

    private var lobby: some View {
        Form {
            if let active = logic.active {
                Label(Phrase(.strangersActive, .count(active)).text, systemImage: "dot.radiowaves.left.and.right")
            }
            Text(logic.outcome?.text ?? Word.lobbyText.text)
            if let parting = logic.parting {
                Section {
                    ForEach(parting.counts, id: \.what) { LabeledContent($0.what.text, value: $0.erased.text) }
                    if parting.isReported {
                        Label(Word.reported.text, systemImage: "checkmark")
                    } else {
                        Menu(Word.reportWhy.text) {
                            ForEach(ReportReason.all, id: \.self) { reason in
                                Button(reason.word.text) { go { await logic.report(parting.id, reason) } }
                            }
                        }
                    }
                } header: {
                    Label(Word.burned.text, systemImage: "flame")
                }
            }
            Section {
                TextField(Word.nickname.text, text: $logic.nickname)
                TextField(Word.interests.text, text: $logic.interests)
                Picker(Word.search.text, selection: $logic.media) {
                    Text(Word.mediaText.text).tag(StrangerMedia.text)
                    Text(Word.mediaVoice.text).tag(StrangerMedia.voice)
                }
                .pickerStyle(.segmented)
                Toggle(isOn: $logic.isAdult) {
                    Text(Word.adult.text)
                    Text(Word.adultText.text)
                }
            }
            Section {
                Act(.search, "sparkles") { await logic.search() }.disabled(!logic.isReady)
            } header: {
                Text(Word.noticeTitle.text)
            } footer: {
                Text(Word.noticeText.text)
            }
        }
        .task { await logic.countActive() }
    }

    private func waiting(_ word: Word) -> some View {
        VStack(spacing: 24) {
            ProgressView(word.text)
            Act(.stop, "xmark") { await logic.end() }
        }
    }

    private func found(_ common: [String], _ accepted: Bool) -> some View {
        VStack(spacing: 24) {
            Text(Word.found.text).font(.title)
            Text(common.isEmpty ? Word.nothingCommon.text : common.formatted())
            Act(accepted ? .waitingForThem : .meet, "checkmark") { await logic.accept() }.buttonStyle(.borderedProminent).disabled(accepted)
            Act(.skip, "forward") { await logic.skip() }
        }
    }
}

private struct Conversation: View {
    @Bindable var logic: StrangersLogic
    let stranger: Stranger

    var body: some View {
        List {
            Section {
                Text(stranger.nickname ?? Word.somebody.text).font(.title2.bold())
                if logic.isTyping { Text(Word.typing.text).foregroundStyle(.secondary) }
                if let route = stranger.route { Badge(word: route.word, icon: "arrow.left.arrow.right") }
                Text(stranger.common.isEmpty ? Word.nothingCommon.text : stranger.common.formatted())
                if stranger.theirConsent && !stranger.ourConsent { Act(.goDirect, "arrow.left.arrow.right") { await logic.setDirect(true) } }
                if let words = stranger.words {
                    LabeledContent(Word.compareWords.text, value: words)
                } else {
                    Act(.compareWords, "checkmark.shield") { await logic.compareWords() }
                }
            }
            Section {
                ForEach(logic.messages, id: \.number) { message in
                    Text(message.words.text).frame(maxWidth: .infinity, alignment: message.theirs ? .leading : .trailing)
                        .swipeActions { if message.theirs { Act(.hide, "eye.slash") { await logic.hide(message) } } }
                }
            }
        }
        .safeAreaInset(edge: .bottom) { controls }
        .toolbar {
            Menu(Word.report.text) {
                ForEach(ReportReason.all, id: \.self) { reason in
                    Button(reason.word.text) { go { await logic.report(stranger.id, reason) } }
                }
                Button(Word.block.text) { go { await logic.block() } }
            }
            Act(.skip, "forward") { await logic.skip() }
            Act(.stop, "flame") { await logic.end() }
        }
    }

    private var controls: some View {
        VStack {
            HStack {
                if logic.choices.isEmpty { Act(.call, "phone") { await logic.call() } }
                if let call = logic.stranger?.call, logic.choices.contains(.microphone) {
                    let isHeard = call.hearing == .on
                    Act(isHeard ? .hearNot : .hear, isHeard ? "speaker.wave.2" : "speaker.slash") { await logic.hear(!isHeard) }
                }
                ForEach(logic.choices, id: \.self) { choice in
                    ChoiceButton(choice: choice, face: choice.face(stranger.call?.microphone ?? .on, nil)) {
                        await logic.choose(choice)
                    }
                }
            }
            HStack {
                TextField(Word.write.text, text: $logic.draft).textFieldStyle(.roundedBorder).onChange(of: logic.draft) { go { await logic.typed() } }
                Act(.send, "arrow.up.circle.fill") { await logic.say() }.disabled(logic.draft.isEmpty)
            }
        }
        .labelStyle(.iconOnly)
        .padding()
        .background(.bar)
    }
}
