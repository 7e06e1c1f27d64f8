import CoreImage.CIFilterBuiltins
import SampleLogic
import Sidetone
import SwiftUI

extension Word {
    /// In the language of the app.
    var text: String { Bundle.main.localizedString(forKey: rawValue, value: nil, table: nil) }
}

extension Phrase {
    /// In the language of the app.
    var text: String { String(format: word.text, locale: .current, arguments: parts.map(\.argument)) }
}

extension Phrase.Part {
    /// Where a word bends with a number, the number goes in as one.
    var argument: any CVarArg { if case .count(let number) = self { Int(clamping: number) } else { text } }

    var text: String {
        switch self {
        case .text(let text): text
        case .number(let number), .count(let number): number.formatted()
        case .bytes(let bytes): Int64(clamping: bytes).formatted(.byteCount(style: .file))
        case .seconds(let seconds): Duration.seconds(Int64(clamping: seconds)).formatted(.time(pattern: .minuteSecond))
        }
    }
}

/// Does something that takes a while.
@MainActor func go(_ act: @escaping @MainActor () async -> Void) { Task { await act() } }

/// A button that does something that takes a while; its icon has its word as label.
struct Act: View {
    let word: Word
    let icon: String
    let act: @MainActor () async -> Void

    init(_ word: Word, _ icon: String, act: @escaping @MainActor () async -> Void) {
        (self.word, self.icon, self.act) = (word, icon, act)
    }

    var body: some View { Button { go(act) } label: { Label(word.text, systemImage: icon) } }
}

/// A trouble, what to do about it, and the button for that.
struct TroubleScreen: View {
    let trouble: Trouble
    let act: @MainActor (Remedy) -> Void

    var body: some View {
        ContentUnavailableView {
            Label(trouble.face.title.text, systemImage: "exclamationmark.triangle")
        } description: {
            Text(trouble.face.advice.text)
        } actions: {
            if let word = trouble.face.remedy.word {
                Button(word.text) { act(trouble.face.remedy) }.buttonStyle(.borderedProminent)
            }
        }
    }
}

/// Something that holds for the whole screen.
struct Notice: View {
    let text: String
    let icon: String

    init(word: Word, icon: String) { (text, self.icon) = (word.text, icon) }

    init(_ phrase: Phrase, icon: String) { (text, self.icon) = (phrase.text, icon) }

    var body: some View {
        Label(text, systemImage: icon)
            .font(.footnote)
            .padding(8)
            .frame(maxWidth: .infinity)
            .background(.yellow.opacity(0.3))
    }
}

/// A small word on a coloured ground; never by colour alone.
struct Badge: View {
    let word: Word
    let icon: String

    var body: some View {
        Label(word.text, systemImage: icon)
            .font(.footnote)
            .padding(.horizontal, 8)
            .padding(.vertical, 3)
            .background(Color.secondary.opacity(0.15), in: Capsule())
            .accessibilityElement(children: .combine)
    }
}

/// A code for the camera of another phone.
struct Code: View {
    let text: String

    var body: some View {
        if let image {
            Image(decorative: image, scale: 1)
                .interpolation(.none)
                .resizable()
                .scaledToFit()
                .padding()
                .background(.white)
                .frame(maxWidth: 280)
                .frame(maxWidth: .infinity)
                .accessibilityElement()
                .accessibilityLabel(Word.yourCode.text)
        }
    }

    private var image: CGImage? {
        let filter = CIFilter.qrCodeGenerator()
        filter.message = Data(text.utf8)
        return filter.outputImage.flatMap { CIContext().createCGImage($0, from: $0.extent) }
    }
}

extension View {
    /// Shows what did not work, and which permission is missing.
    func notice(of logic: Logic) -> some View {
        func shown(_ holds: @escaping @MainActor () -> Bool) -> Binding<Bool> {
            Binding(get: { holds() }, set: { if !$0 { logic.dismiss() } })
        }
        return alert(logic.notice?.text ?? "", isPresented: shown { logic.notice != nil }) { Button(Word.done.text) {} }
            .sheet(isPresented: shown { logic.forbidden != nil }) {
                TroubleScreen(trouble: logic.forbidden?.trouble ?? .other) { _ in
                    if let settings = URL(string: UIApplication.openSettingsURLString) { UIApplication.shared.open(settings) }
                    logic.dismiss()
                }
                .presentationDetents([.medium])
            }
    }
}
