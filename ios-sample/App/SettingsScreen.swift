import SampleLogic
import Sidetone
import SwiftUI

struct ServerSection: View {
    @Binding var server: String
    let use: @MainActor (String) async -> Void

    var body: some View {
        Section {
            TextField(Word.address.text, text: $server)
                .keyboardType(.URL)
                .textInputAutocapitalization(.never)
                .autocorrectionDisabled()
            Act(.useServer, "arrow.right") { await use(server) }.disabled(server.isEmpty)
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
                if let me = logic.me { LabeledContent(me.name, value: (logic.isOnline ? Word.online : .offline).text).font(.headline) }
                if let now = logic.preferences { choices(now) } else { ProgressView(Word.loading.text) }
                Section { Text((logic.isWoken ? Word.woken : .notWoken).text).font(.footnote).foregroundStyle(.secondary) }
                ServerSection(server: $logic.server) { await sample.use($0) }
                Section {
                    SecureField(Word.passphrase.text, text: $logic.passphrase)
                    Act(.exportNow, "square.and.arrow.up") {
                        let path = Folders.export()
                        await logic.export(to: path)
                        folder = URL(fileURLWithPath: path)
                    }
                    .disabled(logic.isExporting)
                    if let exported = logic.exported, let folder { ShareLink(exported.text, item: folder) }
                } header: {
                    Text(Word.export.text)
                } footer: {
                    Text(Word.exportText.text)
                }
                Section {
                    if logic.burned > 0 { Label(Phrase(.burnedCount, .count(logic.burned)).text, systemImage: "flame") }
                    ForEach(logic.receipts ?? []) { ReceiptView(receipt: $0) }
                    if logic.receipts?.isEmpty == true { Text(Word.receiptsNone.text) }
                    Act(.askServer, "hand.raised") { await logic.readReceipt() }
                    if let kept = logic.kept { Text(kept).font(.footnote.monospaced()).textSelection(.enabled) }
                } header: {
                    Text(Word.receipts.text)
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
                (danger == .wipe ? Word.wipeText : danger == .signOut ? .signOut : .deleteText).text, isPresented: Binding(get: { danger != nil }, set: { if !$0 { danger = nil } }),
                titleVisibility: .visible, presenting: danger
            ) { word in
                Button((word == .deleteAccount ? Word.deleteReally : word).text, role: .destructive) { go { await destroy(word) } }
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
            Text(Word.routesText.text).font(.footnote).foregroundStyle(.secondary)
            Toggle(
                Word.readReceipts.text,
                isOn: Binding(
                    get: { now.receipts == .send }, set: { on in go { await logic.prefer(on ? ReceiptRule.send : .keep) } }))
            Text(Word.readReceiptsText.text).font(.footnote).foregroundStyle(.secondary)
        }
    }
}

/// What one acquaintance came to.
private struct ReceiptView: View {
    let receipt: Receipt

    var body: some View {
        VStack(alignment: .leading) {
            LabeledContent(receipt.who.text, value: receipt.took.text).font(.headline)
            ForEach(receipt.figures, id: \.word) { LabeledContent($0.word.text, value: unit($0)).font(.footnote) }
        }
        .accessibilityElement(children: .combine)
    }

    private func unit(_ figure: Phrase) -> String {
        let amount = figure.parts[0].text
        return figure.unit.map { String(format: $0.text, amount) } ?? amount
    }
}
