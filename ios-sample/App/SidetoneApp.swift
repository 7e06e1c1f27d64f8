import SampleLogic
import Sidetone
import SidetoneDevices
import SwiftUI

@main
struct SidetoneApp: App {
    @UIApplicationDelegateAdaptor(Telephone.self) private var telephone
    @Environment(\.scenePhase) private var phase

    var body: some Scene {
        WindowGroup {
            RootScreen(sample: telephone.sample)
                .task { await telephone.sample.start() }
                .onOpenURL { url in go { telephone.sample.home?.open(url.absoluteString) } }
        }
        .onChange(of: phase) { _, now in
            if now == .active { telephone.sample.client?.onForeground() }
            if now == .background { telephone.disappear() }
        }
    }
}

struct RootScreen: View {
    @Bindable var sample: Sample
    @State private var server = ""

    var body: some View {
        switch sample.stage {
        case .opening: ProgressView(Word.opening.text)
        case .blocked(let trouble):
            VStack {
                TroubleScreen(trouble: trouble, act: solve)
                if let saved = sample.saved { Label(saved.text, systemImage: "checkmark") }
                if trouble == .noServer {
                    Form { ServerSection(server: $server) { await sample.use($0) } }.onAppear { server = sample.memory.server }
                }
                if trouble == .storeDamaged { Button(Word.erase.text, role: .destructive) { solve(.erase) } }
            }
            .notice(of: sample)
        case .welcome: WelcomeScreen(sample: sample)
        case .home: if let home = sample.home { HomeScreen(home: home, sample: sample) }
        }
    }

    private func solve(_ remedy: Remedy) {
        switch remedy {
        case .tryAgain, .wait: go { await sample.start() }
        case .signIn, .typeAgain, .compareNumbers: sample.again()
        case .openSettings: break
        case .salvage: go { await sample.salvage(to: Folders.export(), Store.file, Keychain()) }
        case .erase: go { await sample.erase(Store.folder, Keychain()) }
        }
    }
}

struct WelcomeScreen: View {
    @Bindable var sample: Sample
    @State private var server = ""

    var body: some View {
        NavigationStack {
            Form {
                Section {
                    Text(Word.welcomeText.text).font(.title3)
                }
                Section {
                    TextField(Word.name.text, text: $sample.form.name).textContentType(.username)
                    if sample.form.isNew {
                        TextField(Word.email.text, text: $sample.form.email)
                            .textContentType(.emailAddress)
                            .keyboardType(.emailAddress)
                    }
                    SecureField(Word.password.text, text: $sample.form.password)
                        .textContentType(sample.form.isNew ? .newPassword : .password)
                } footer: {
                    Text(Word.welcomePromise.text)
                }
                .textInputAutocapitalization(.never)
                .autocorrectionDisabled()
                Section {
                    Button(sample.form.isNew ? Word.register.text : Word.signIn.text) { go { await sample.signIn() } }
                        .disabled(!sample.form.isReady || sample.isBusy)
                    Button(sample.form.isNew ? Word.haveAccount.text : Word.newAccount.text) {
                        sample.form.isNew.toggle()
                    }
                }
                ServerSection(server: $server) { await sample.use($0) }.onAppear { server = sample.memory.server }
            }
            .navigationTitle(Word.appName.text)
            .notice(of: sample)
        }
    }
}

struct HomeScreen: View {
    @Bindable var home: Home
    let sample: Sample

    var body: some View {
        TabView(selection: $home.tab) {
            FriendsScreen(home: home, logic: home.friends)
                .badge(home.unread)
                .tabItem { Label(Word.friends.text, systemImage: "person.2") }
                .tag(SampleLogic.Tab.friends)
            RoomsScreen(logic: home.rooms)
                .tabItem { Label(Word.rooms.text, systemImage: "antenna.radiowaves.left.and.right") }
                .tag(SampleLogic.Tab.rooms)
            StrangersScreen(logic: home.strangers)
                .tabItem { Label(Word.strangers.text, systemImage: "sparkles") }
                .tag(SampleLogic.Tab.strangers)
            SettingsScreen(logic: home.settings, sample: sample)
                .tabItem { Label(Word.settings.text, systemImage: "gearshape") }
                .tag(SampleLogic.Tab.settings)
        }
        .safeAreaInset(edge: .top) {
            VStack(spacing: 0) {
                if let call = home.call, home.isCallSmall {
                    Button { home.isCallSmall = false } label: {
                        Label("\(call.name) · \(call.words.text)", systemImage: "phone.fill").frame(maxWidth: .infinity)
                    }
                    .buttonStyle(.borderedProminent)
                }
                if !home.isOnline { Notice(word: .offlineText, icon: "wifi.slash") }
            }
        }
        .fullScreenCover(isPresented: Binding(get: { home.call != nil && !home.isCallSmall }, set: { if !$0 { home.isCallSmall = true } })) {
            if let call = home.call { CallScreen(home: home, logic: call) }
        }
        .preferredColorScheme(home.settings.preferences?.theme.scheme)
        .notice(of: home)
    }
}

extension Theme {
    var scheme: ColorScheme? {
        switch self {
        case .system: nil
        case .light: .light
        case .dark: .dark
        }
    }
}
