import PhotosUI
import QuickLook
import SampleLogic
import Sidetone
import SwiftUI
import UniformTypeIdentifiers

struct ChatScreen: View {
    let home: Home
    @State private var logic: ChatLogic
    @State private var picked: PhotosPickerItem?
    @State private var isPickingImage = false
    @State private var isPickingFile = false
    @State private var shown: URL?

    init(home: Home, peer: UserId) {
        self.home = home
        _logic = State(wrappedValue: home.chat(with: peer))
    }

    var body: some View {
        ScrollView {
            LazyVStack(spacing: 8) {
                ForEach(logic.bubbles.reversed()) { BubbleView(logic: logic, bubble: $0) { shown = $0 } }
                if logic.isTyping { Text("\(logic.name) \(Word.typing.text)").foregroundStyle(.secondary) }
            }
            .padding()
        }
        .defaultScrollAnchor(.bottom)
        .overlay {
            if logic.isLoading {
                ProgressView(Word.loading.text)
            } else if logic.bubbles.isEmpty {
                ContentUnavailableView(
                    Word.chatEmpty.text, systemImage: "bubble.left.and.bubble.right",
                    description: Text(Phrase(.chatEmptyText, .text(logic.name)).text))
            }
        }
        .safeAreaInset(edge: .bottom) {
            HStack(alignment: .bottom) { if let note = logic.note { recording(note) } else { writing } }
                .labelStyle(.iconOnly)
                .imageScale(.large)
                .padding()
                .background(.bar)
        }
        .safeAreaInset(edge: .top) {
            VStack(spacing: 0) {
                if !home.isOnline { Notice(word: .offlineChat, icon: "wifi.slash") }
                if logic.friend?.changedKey != nil { Notice(Phrase(.keyChangedBanner, .text(logic.name)), icon: "exclamationmark.shield") }
            }
        }
        .navigationTitle(logic.name)
        .toolbar {
            NavigationLink { VerifyScreen(logic: home.verify(logic.peer)) } label: {
                Label(Word.safetyNumber.text, systemImage: logic.friend?.verified == true ? "checkmark.shield" : "shield")
            }
            Act(.call, "phone") { await home.call(logic.peer) }
        }
        .quickLookPreview($shown)
        .photosPicker(isPresented: $isPickingImage, selection: $picked, matching: .images, preferredItemEncoding: .compatible)
        .onChange(of: picked) { _, item in
            go {
                guard let bytes = try? await item?.loadTransferable(type: Data.self) else { return }
                await logic.sendImage(Folders.keep(bytes, "image.jpg"))
            }
        }
        .fileImporter(isPresented: $isPickingFile, allowedContentTypes: [.item]) { result in
            guard let (path, mime) = (try? result.get()).flatMap(Folders.keep) else { return }
            go { await logic.sendFile(path, mime: mime) }
        }
        .task { await logic.begin() }
        .onDisappear { logic.close() }
        .notice(of: logic)
    }

    @ViewBuilder private var writing: some View {
        Menu {
            Button { isPickingImage = true } label: { Label(Word.sendImage.text, systemImage: "photo") }
            Button { isPickingFile = true } label: { Label(Word.sendFile.text, systemImage: "doc") }
        } label: {
            Label(Word.chatAttach.text, systemImage: "paperclip")
        }
        TextField(Word.write.text, text: $logic.draft, axis: .vertical)
            .lineLimit(1...5)
            .textFieldStyle(.roundedBorder)
            .onChange(of: logic.draft) { go { await logic.typed() } }
        if logic.draft.isEmpty {
            Act(.record, "mic") { await logic.record() }
        } else {
            Act(.send, "arrow.up.circle.fill") { await logic.send() }
        }
    }

    @ViewBuilder private func recording(_ note: NoteView) -> some View {
        Act(.dropNote, "trash") { logic.dropNote() }
        Spacer()
        Text(Phrase(.recording, .seconds(UInt64(note.durationMs / 1_000))).text).monospacedDigit()
        Spacer()
        Act(.send, "arrow.up.circle.fill") { await logic.sendNote() }
    }
}

private struct BubbleView: View {
    let logic: ChatLogic
    let bubble: Bubble
    let open: (URL) -> Void

    var body: some View {
        let message = bubble.message
        VStack(alignment: .leading, spacing: 4) {
            if let preview = bubble.preview?.thumbnail, let image = UIImage(data: preview) {
                Image(uiImage: image).resizable().scaledToFit().frame(maxHeight: 220).accessibilityLabel(Word.anImage.text)
            }
            Text(message.words?.text ?? message.text)
            if let file = bubble.transfer { FileView(logic: logic, file: file, open: open) }
            HStack {
                Text(Date(timeIntervalSince1970: Double(message.writtenMs) / 1_000), style: .time)
                if message.editedMs != nil { Text(Word.edited.text) }
                if let mark = message.mark { Text(mark.text) }
                ForEach(message.reactions, id: \.emoji) { Text($0.emoji) }
            }
            .font(.caption)
            .foregroundStyle(.secondary)
        }
        .padding(10)
        .background((message.theirs ? Color.secondary : Color.accentColor).opacity(0.15), in: RoundedRectangle(cornerRadius: 14))
        .frame(maxWidth: .infinity, alignment: message.theirs ? .leading : .trailing)
        .accessibilityElement(children: bubble.transfer == nil ? .combine : .contain)
        .contextMenu {
            ForEach(["👍", "❤️", "😂"], id: \.self) { emoji in Button(emoji) { go { await logic.react(message, emoji) } } }
            if !message.theirs {
                Act(.tryAgain, "arrow.clockwise") { await logic.retry(message) }
                Act(.takeBack, "trash") { await logic.takeBack(message) }
            }
        }
    }
}

private struct FileView: View {
    let logic: ChatLogic
    let file: Transfer
    let open: (URL) -> Void

    var body: some View {
        VStack(alignment: .leading) {
            Text(file.words.text).font(.subheadline)
            if let progress = file.progress { ProgressView(value: progress) }
            HStack {
                ForEach(file.choices, id: \.self) { choice in
                    Button(choice.word.text) {
                        if let path = file.path, choice == .open { open(URL(fileURLWithPath: path)) }
                        go { await logic.choose(choice, file) }
                    }
                    .buttonStyle(.bordered)
                }
            }
        }
    }
}
