import Observation
import Sidetone

@MainActor @Observable
public final class CallLogic: Logic {
    public private(set) var view: CallView
    public private(set) var friend: Friend?
    /// Seconds since both could speak.
    public private(set) var talkedS: UInt64 = 0
    /// Seconds until a call that reconnects is given up.
    public private(set) var leftS: UInt64 = 0
    public private(set) var quality: CallQuality?
    @ObservationIgnored public let call: Call
    @ObservationIgnored private let client: Client
    @ObservationIgnored private let device: any Device
    @ObservationIgnored private var looks: [Diagnostics] = []

    init(_ client: Client, _ device: any Device, _ call: Call) {
        (self.client, self.device, self.call) = (client, device, call)
        view = call.view.value
        super.init()
        follow(call.view.values) { [weak self] in self?.show($0) }
        follow(client.friends.values) { [weak self, call] all in self?.friend = all.first { $0.user == call.peer } }
        every(.seconds(1)) { [weak self] in await self?.tick() }
    }

    public var name: String { friend?.name ?? "" }

    /// How the call stands, in words.
    public var words: Phrase { view.state.words(view.direction) }

    public var choices: [CallChoice] { view.choices }

    public var isOver: Bool { view.state.isOver }

    public var verification: Word { friend?.verified == true ? .verified : .notVerified }

    func choose(_ choice: CallChoice) async throws {
        switch choice {
        case .answer: try await call.answer()
        case .decline: try await call.decline()
        case .hangUp: try await call.hangUp()
        case .microphone: try await call.setMicrophone(view.microphone.other)
        case .camera: try await call.setCamera(!view.shows.camera)
        case .screen: try await call.setScreenShare(view.shows.screen == nil ? .text : nil)
        }
    }

    public override func close() {
        device.set(camera: false, client: client)
        super.close()
    }

    private func show(_ now: CallView) {
        view = now
        leftS = now.state.leftS ?? 0
        device.set(camera: now.shows.camera, client: client)
    }

    private func tick() async {
        leftS = leftS > 0 ? leftS - 1 : 0
        talkedS += view.state == .connected ? 1 : 0
        guard let look = try? await client.diagnostics() else { return }
        // Five seconds: a word that was missed is not forgotten at once.
        quality = look.quality(since: looks.first ?? look, with: call.peer)
        looks = looks.suffix(4) + [look]
    }
}

extension CallState {
    /// What a screen says of it.
    func words(_ direction: CallDirection) -> Phrase {
        switch self {
        case .ringing: Phrase(direction == .incoming ? .callIncoming : .callRinging)
        case .connecting: Phrase(.callConnecting)
        case .connected: Phrase(.callConnected)
        case .reconnecting: Phrase(.callReconnecting)
        case .ended(let reason): Phrase(reason.word)
        }
    }

    var leftS: UInt64? {
        if case .reconnecting(let remainingMs) = self { (remainingMs + 999) / 1_000 } else { nil }
    }
}

extension CallEnd {
    var word: Word {
        switch self {
        case .hungUp, .peerHungUp, .cancelled, .merged: .endOver
        case .signedOut: .endSignedOut
        case .declined, .peerDeclined: .endDeclined
        case .peerBusy: .endBusy
        case .missed: .endMissed
        case .unanswered: .endUnanswered
        case .unreachable: .endUnreachable
        case .connectionLost, .peerForgot: .endLost
        case .notTrusted: .endNotTrusted
        }
    }
}

extension MicrophoneState {
    var other: MicrophoneState { self == .on ? .off : .on }
}

extension CallQuality {
    public var word: Word {
        switch self {
        case .good: .callQualityGood
        case .fair: .callQualityFair
        case .poor: .callQualityPoor
        }
    }
}

extension Route {
    public var word: Word { if case .direct = self { .routeDirect } else { .routeRelayed } }
}
