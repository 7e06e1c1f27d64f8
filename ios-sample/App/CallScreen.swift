import SampleLogic
import Sidetone
import SidetoneDevices
import SwiftUI

struct CallScreen: View {
    let home: Home
    let logic: CallLogic

    var body: some View { NavigationStack { call } }

    private var call: some View {
        VStack(spacing: 16) {
            HStack {
                Button { home.isCallSmall = true } label: { Label(Word.shrink.text, systemImage: "chevron.down") }
                Spacer()
                NavigationLink { VerifyScreen(logic: home.verify(logic.call.peer)) } label: { Label(Word.verify.text, systemImage: "shield") }
            }
            .labelStyle(.iconOnly)
            Text(logic.name).font(.largeTitle.bold()).accessibilityAddTraits(.isHeader)
            Text(logic.words.text).font(.title3).accessibilityAddTraits(.updatesFrequently)
            if logic.leftS > 0 { Text(Phrase(.secondsLeft, .number(logic.leftS)).text).monospacedDigit() }
            if logic.talkedS > 0 { Text(Phrase.Part.seconds(logic.talkedS).text).monospacedDigit() }
            ViewThatFits {
                HStack { badges }
                VStack { badges }
            }
            if logic.view.theirMicrophone == .off { Label(Word.theyAreMuted.text, systemImage: "mic.slash") }
            Pictures(logic.view.theirShows)
            if logic.view.shows.camera, let film = (UIApplication.shared.delegate as? Telephone)?.film {
                Mirror(film)
                    .frame(width: 84, height: 112)
                    .clipShape(RoundedRectangle(cornerRadius: 14))
                    .frame(maxWidth: .infinity, alignment: .trailing)
                    .accessibilityElement()
                    .accessibilityLabel(Word.you.text)
            }
            Spacer()
            if logic.choices.isEmpty {
                Button(Word.done.text) { home.forgetCall() }.buttonStyle(.borderedProminent)
            }
            ViewThatFits {
                HStack(spacing: 24) { buttons }
                VStack(spacing: 16) { buttons }
            }
        }
        .padding()
        .frame(maxWidth: .infinity)
        .interactiveDismissDisabled()
        .notice(of: home)
    }

    @ViewBuilder private var badges: some View {
        if let route = logic.view.route { Badge(word: route.word, icon: "arrow.left.arrow.right") }
        if let quality = logic.quality { Badge(word: quality.word, icon: "waveform") }
        Badge(word: logic.verification, icon: logic.verification == .verified ? "checkmark.shield" : "shield.slash")
    }

    private var buttons: some View {
        ForEach(logic.choices, id: \.self) { choice in
            let face = choice.face(logic.view.microphone, logic.view.shows)
            if choice == .screen {
                BroadcastButton("org.sidetone.sample.broadcast", label: face.word.text).frame(width: 60, height: 60)
            } else {
                ChoiceButton(choice: choice, face: face) { await home.choose(choice) }
            }
        }
    }
}

/// One thing to do about a call.
struct ChoiceButton: View {
    let choice: CallChoice
    let face: (word: Word, icon: String)
    let act: @MainActor () async -> Void

    var body: some View {
        Act(face.word, face.icon, act: act)
            .labelStyle(.iconOnly)
            .font(.title)
            .padding()
            .background(choice.tint.opacity(0.2), in: Circle())
            .foregroundStyle(choice.tint)
    }
}

extension CallChoice {
    /// Its word and icon, as things are.
    func face(_ microphone: MicrophoneState, _ shows: Shows?) -> (word: Word, icon: String) {
        switch self {
        case .answer: (.answer, "phone.fill")
        case .decline: (.decline, "phone.down.fill")
        case .hangUp: (.hangUp, "phone.down.fill")
        case .microphone: microphone == .on ? (.mute, "mic.fill") : (.unmute, "mic.slash.fill")
        case .camera: shows?.camera == true ? (.callCameraOff, "video.fill") : (.callCamera, "video.slash.fill")
        case .screen: shows?.screen == nil ? (.callScreen, "rectangle.on.rectangle") : (.callScreenOff, "rectangle.on.rectangle.slash")
        }
    }

    var tint: Color {
        switch self {
        case .answer: .green
        case .decline, .hangUp: .red
        case .microphone, .camera, .screen: .primary
        }
    }
}
