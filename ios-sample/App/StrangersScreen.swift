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
                case .found(_, let common, _, _): found(common)
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
                Label(Phrase(.strangersActive, .number(active)).text, systemImage: "dot.radiowaves.left.and.right")
            }
            Text(logic.outcome?.text ?? Word.lobbyText.text)
            if let parting = logic.parting {
                Section {
                    Label(parting.words.text, systemImage: "flame")
                    Menu(Word.reportWhy.text) {
                        ForEach(ReportReason.all, id: \.self) { reason in
                            Button(reason.word.text) { go { await logic.report(parting.id, reason) } }
                        }
                    }
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
                Toggle(Word.adult.text, isOn: $logic.isAdult)
            }
            Section {
                if !logic.understood { Button(Word.strangersUnderstood.text) { logic.understand() } }
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

    private func found(_ common: [String]) -> some View {
        VStack(spacing: 24) {
            Text(Word.found.text).font(.title)
            if !common.isEmpty { Text(Phrase(.strangersCommon, .text(common.formatted())).text) }
            Act(.meet, "checkmark") { await logic.accept() }.buttonStyle(.borderedProminent)
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
                Text(stranger.nickname ?? Word.memberReaching.text).font(.title2.bold())
                if let route = stranger.route { Badge(word: route.word, icon: "arrow.left.arrow.right") }
                if !stranger.common.isEmpty { Text(Phrase(.strangersCommon, .text(stranger.common.formatted())).text) }
                if let words = stranger.words {
                    Text(Phrase(.strangersWords, .text(words)).text)
                } else {
                    Act(.compareWords, "checkmark.shield") { await logic.compareWords() }
                }
            }
            Section {
                ForEach(logic.messages, id: \.number) { message in
                    Text(message.words.text).frame(maxWidth: .infinity, alignment: message.theirs ? .leading : .trailing)
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
                ForEach(logic.choices, id: \.self) { choice in
                    ChoiceButton(choice: choice, face: choice.face(stranger.call?.microphone ?? .on, nil)) {
                        await logic.choose(choice)
                    }
                }
            }
            HStack {
                TextField(Word.write.text, text: $logic.draft).textFieldStyle(.roundedBorder)
                Act(.send, "arrow.up.circle.fill") { await logic.say() }.disabled(logic.draft.isEmpty)
            }
        }
        .labelStyle(.iconOnly)
        .padding()
        .background(.bar)
    }
}
