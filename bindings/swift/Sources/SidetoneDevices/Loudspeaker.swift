#if os(iOS)
import AVFoundation
import Sidetone

/// The microphone and the speaker, with Apple's echo cancellation.
public final class Loudspeaker {
    private let engine = AVAudioEngine()
    private var (heard, spoken): (AVAudioNode?, AVAudioNode?) = (nil, nil)

    public init() {}

    /// Prepares the session for what the library wants; who owns it (CallKit, PushToTalk, or the app) makes it active.
    public func prepare(_ intent: AudioIntent) {
        let session = AVAudioSession.sharedInstance()
        let options: AVAudioSession.CategoryOptions = [.allowBluetooth, .defaultToSpeaker]
        switch intent {
        case .idle: return stop()
        case .listen: try? session.setCategory(.playback, mode: .default)
        case .talk: try? session.setCategory(.playAndRecord, mode: .voiceChat, options: options)
        case .call: try? session.setCategory(.playAndRecord, mode: .voiceChat, options: [.allowBluetooth])
        }
        try? session.setPreferredSampleRate(48_000)
        try? session.setPreferredIOBufferDuration(0.01)
    }

    /// Moves sound; `into` is a client's, or a voice note's alone.
    public func start(microphone: Bool, into push: @escaping (UnsafeRawBufferPointer) -> Int32, from sound: Sound?) throws {
        stop()
        if microphone {
            try engine.inputNode.setVoiceProcessingEnabled(sound != nil)
            let (format, room) = (engine.inputNode.outputFormat(forBus: 0), UnsafeMutableBufferPointer<Int16>.allocate(capacity: 960))
            var ramp = Ramp()
            let sink = AVAudioSinkNode { _, frames, list in
                guard let data = list.pointee.mBuffers.mData else { return noErr }
                let samples = UnsafeBufferPointer(start: data.assumingMemoryBound(to: Float.self), count: Int(frames))
                ramp.push(samples, rate: format.sampleRate, room: room) { _ = push($0) }
                return noErr
            }
            engine.attach(sink)
            engine.connect(engine.inputNode, to: sink, format: format)
            spoken = sink
        }
        if let sound, let format = AVAudioFormat(standardFormatWithSampleRate: 48_000, channels: 1) {
            let room = UnsafeMutableBufferPointer<Int16>.allocate(capacity: 8_192)
            let source = AVAudioSourceNode(format: format) { _, _, frames, list in
                let pcm = UnsafeMutableBufferPointer(rebasing: room[..<min(Int(frames), room.count)])
                _ = sound.pull(UnsafeMutableRawBufferPointer(pcm))
                for buffer in UnsafeMutableAudioBufferListPointer(list) {
                    guard let out = buffer.mData?.assumingMemoryBound(to: Float.self) else { continue }
                    for at in pcm.indices { out[at] = Float(pcm[at]) / 32_768 }
                }
                return noErr
            }
            engine.attach(source)
            engine.connect(source, to: engine.mainMixerNode, format: format)
            heard = source
        }
        try engine.start()
    }

    public func stop() {
        engine.stop()
        for node in [heard, spoken].compactMap({ $0 }) { engine.detach(node) }
        (heard, spoken) = (nil, nil)
    }
}
#endif
