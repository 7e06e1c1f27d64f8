import SampleLogic
import Sidetone
import SwiftUI

struct ServerSection: View {
    @Binding var server: String

    var body: some View {
        Section {
            TextField(Word.server.text, text: $server)
                .keyboardType(.URL)
                .textInputAutocapitalization(.never)
                .autocorrectionDisabled()
        } header: {
            Text(Word.server.text)
        } footer: {
            Text(Word.serverText.text)
        }
    }
}

struct SettingsScreen: View {
    @Bindable var logic: SettingsLogic
    let sample: Sample
    @State private var danger: Word?
    @State private var folder: URL?

    var body: some View {
        NavigationStack {
            Form {
                if let me = logic.me { Text(me.name).font(.headline) }
                ServerSection(server: $logic.server)
                if let now = logic.preferences { choices(now) }
                Section {
                    SecureField(Word.passphrase.text, text: $logic.passphrase)
                    Act(.exportNow, "square.and.arrow.up") {
                        let path = Folders.export()
                        await logic.export(to: path)
                        folder = URL(fileURLWithPath: path)
                    }
                    .disabled(logic.isExporting)
                    if let exported = logic.exported, let folder { ShareLink(exported.text, item: folder) }
                } footer: {
                    Text(Word.exportText.text)
                }
                Section {
                    Act(.receipts, "hand.raised") { await logic.readReceipt() }
                    ForEach(logic.figures, id: \.self) { Text("\($0.word.text): \($0.parts.map(\.text).formatted())") }
                    if let kept = logic.kept { Text(kept).font(.footnote.monospaced()).textSelection(.enabled) }
                } footer: {
                    Text(Word.receiptsText.text)
                }
                Section(Word.account.text) {
                    ForEach([Word.signOut, .deleteAccount, .wipe], id: \.self) { word in
                        Button(word.text, role: .destructive) { danger = word }
                    }
                }
            }
            .navigationTitle(Word.settings.text)
            .notice(of: logic)
            .confirmationDialog(
                Word.deleteText.text, isPresented: Binding(get: { danger != nil }, set: { if !$0 { danger = nil } }),
                titleVisibility: .visible, presenting: danger
            ) { word in
                Button(word.text, role: .destructive) { go { await destroy(word) } }
                Button(Word.keepAccount.text, role: .cancel) {}
            }
        }
    }

    private func destroy(_ word: Word) async {
        switch word {
        case .signOut: await logic.signOut()
        case .deleteAccount: await logic.deleteAccount()
        default: await sample.wipe(downloads: Store.downloads)
        }
    }

    private func choices(_ now: Preferences) -> some View {
        Section(Word.privacy.text) {
            Picker(Word.theme.text, selection: Binding(get: { now.theme }, set: { new in go { await logic.prefer(new) } })) {
                Text(Word.themeSystem.text).tag(Theme.system)
                Text(Word.themeLight.text).tag(Theme.light)
                Text(Word.themeDark.text).tag(Theme.dark)
            }
            Picker(Word.addresses.text, selection: Binding(get: { now.addresses }, set: { new in go { await logic.prefer(new) } })) {
                Text(Word.addressDirect.text).tag(AddressRule.direct)
                Text(Word.addressAccepted.text).tag(AddressRule.relayUntilAccepted)
                Text(Word.addressVerified.text).tag(AddressRule.relayUntilVerified)
                Text(Word.addressNever.text).tag(AddressRule.never)
            }
            Text(Word.addressesText.text).font(.footnote).foregroundStyle(.secondary)
            Picker(Word.routes.text, selection: Binding(get: { now.routes }, set: { new in go { await logic.prefer(new) } })) {
                Text(Word.routeAny.text).tag(RouteRule.any)
                Text(Word.routeDirectOnly.text).tag(RouteRule.directOnly)
                Text(Word.routeRelayOnly.text).tag(RouteRule.relayOnly)
            }
            Toggle(
                Word.readReceipts.text,
                isOn: Binding(
                    get: { now.receipts == .send }, set: { on in go { await logic.prefer(on ? ReceiptRule.send : .keep) } }))
        }
    }
}
