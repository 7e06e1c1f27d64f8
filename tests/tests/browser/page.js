// One end of a link, as a browser makes it. What the other end says comes in as SDP that the test writes.
const end = { records: [], candidates: [], waiting: [] };

end.tell = () => end.waiting.splice(0).forEach((wake) => wake());
end.until = async (ready) => {
    while (!ready()) await new Promise((wake) => end.waiting.push(wake));
};

// A tone of so many hertz on the way out; the records' channel and the files', as both ends know them from the start.
end.open = (hertz, servers) => {
    end.audio = new AudioContext({ sampleRate: 48000 });
    const tone = new OscillatorNode(end.audio, { frequency: hertz });
    const out = new MediaStreamAudioDestinationNode(end.audio);
    tone.connect(out);
    tone.start();
    end.pc = new RTCPeerConnection({ iceServers: servers, iceTransportPolicy: servers.length ? 'relay' : 'all' });
    end.pc.onicecandidate = ({ candidate }) => {
        if (candidate && candidate.candidate) end.candidates.push(candidate.candidate);
        end.gathered = !candidate;
        end.tell();
    };
    end.pc.ontrack = ({ track }) => {
        const heard = new MediaStream([track]);
        // Chromium decodes for an element only.
        end.element = Object.assign(new Audio(), { srcObject: heard, muted: true });
        end.element.play();
        end.scope = new AnalyserNode(end.audio, { fftSize: 4096, smoothingTimeConstant: 0 });
        end.audio.createMediaStreamSource(heard).connect(end.scope);
    };
    const [track] = out.stream.getAudioTracks();
    end.channel = end.pc.createDataChannel('records', { negotiated: true, id: 0, ordered: true });
    end.pc.createDataChannel('files', { negotiated: true, id: 1, ordered: true });
    end.channel.binaryType = 'arraybuffer';
    end.channel.onopen = end.tell;
    end.channel.onmessage = ({ data }) => {
        if (data === 'ready') end.ready = true;
        else if (typeof data !== 'string') end.take(new Uint8Array(data));
        end.tell();
    };
    return track;
};

// What says who sends what: the link knows the stream by its number (SSRC), which both ends know from the start.
end.mark = (sdp, ssrc) => sdp.replace(/a=ssrc:\d+/g, `a=ssrc:${ssrc}`);

end.offer = async (hertz, servers, ssrc) => {
    end.pc?.close();
    end.pc = undefined;
    const track = end.open(hertz, servers);
    end.pc.addTransceiver(track, { direction: 'sendrecv' });
    const offer = await end.pc.createOffer();
    await end.pc.setLocalDescription({ type: 'offer', sdp: end.mark(offer.sdp, ssrc) });
    return end.pc.localDescription.sdp;
};

end.answer = async (hertz, servers, ssrc, sdp) => {
    const track = end.open(hertz, servers);
    await end.pc.setRemoteDescription({ type: 'offer', sdp });
    const [transceiver] = end.pc.getTransceivers();
    transceiver.direction = 'sendrecv';
    await transceiver.sender.replaceTrack(track);
    const answer = await end.pc.createAnswer();
    await end.pc.setLocalDescription({ type: 'answer', sdp: end.mark(answer.sdp, ssrc) });
    return end.pc.localDescription.sdp;
};

end.accept = (sdp) => end.pc.setRemoteDescription({ type: 'answer', sdp });
end.add = (candidate) => end.pc.addIceCandidate({ candidate, sdpMid: '0' });
end.gather = async () => (await end.until(() => end.gathered), end.candidates);
end.opened = () => end.until(() => end.channel.readyState === 'open');
end.greeted = () => end.until(() => end.ready);
end.say = (text) => end.channel.send(text);

// Records travel in pieces of 8 KiB at most, whose first byte is 1 where more of the record follows, and otherwise 0.
const PIECE = 8 * 1024 - 1;
end.send = (base64) => {
    const record = [...atob(base64)].map((c) => c.charCodeAt(0));
    do {
        const piece = record.splice(0, PIECE);
        end.channel.send(Uint8Array.of(record.length ? 1 : 0, ...piece));
    } while (record.length);
};
end.part = '';
end.take = ([more, ...content]) => {
    end.part += content.map((byte) => String.fromCharCode(byte)).join('');
    if (!more) end.records.push(btoa(end.part)), (end.part = '');
};
end.record = async () => (await end.until(() => end.records.length), end.records.shift());

// The loudest frequency heard, in hertz, once there is one.
end.hear = async () => {
    for (;;) {
        if (end.scope) {
            const bins = new Float32Array(end.scope.frequencyBinCount);
            end.scope.getFloatFrequencyData(bins);
            const loudest = bins.indexOf(Math.max(...bins));
            if (bins[loudest] > -50) return (loudest * end.audio.sampleRate) / end.scope.fftSize;
        }
        await new Promise((wake) => setTimeout(wake, 50));
    }
};

end.path = async () => {
    const stats = [...(await end.pc.getStats()).values()];
    const pair = stats.find((one) => one.type === 'candidate-pair' && one.nominated && one.state === 'succeeded');
    const kind = (id) => stats.find((one) => one.id === id)?.candidateType;
    return [kind(pair.localCandidateId), kind(pair.remoteCandidateId)];
};
