//! Between what a link says of itself and what a browser does. A link parses no session description; this does it for one.

use std::fmt::Write as _;

use sidetone::link::description::{Kind, Protocol};
use sidetone::link::{Candidate, Description};

/// Which half of an exchange a text is, and so who begins the DTLS handshake: always the answering end.
#[derive(Clone, Copy)]
pub enum Half {
    Offer,
    Answer,
}

/// The link as a browser is told of it: sound, then the data channels.
pub fn write(link: &Description, half: Half, ssrc: u32) -> String {
    let setup = match half {
        Half::Offer => "actpass",
        Half::Answer => "active",
    };
    let mut fingerprint = String::new();
    for byte in link.fingerprint() {
        write!(fingerprint, "{byte:02X}:").expect("text");
    }
    let transport = format!(
        "c=IN IP4 0.0.0.0\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=ice-options:trickle\r\n\
         a=fingerprint:sha-256 {}\r\na=setup:{setup}\r\n",
        link.ufrag(),
        link.pwd(),
        fingerprint.trim_end_matches(':')
    );
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{transport}a=mid:0\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
         a=fmtp:111 minptime=10;useinbandfec=1\r\na=ssrc:{ssrc} cname:sound\r\na=msid:sound sound\r\na=sendrecv\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{transport}a=mid:1\r\na=sctp-port:5000\r\n\
         a=max-message-size:8192\r\n"
    )
}

/// The browser as a link is told of it.
pub fn read(sdp: &str) -> Description {
    let value = |key: &str| sdp.lines().find_map(|line| line.strip_prefix(key)).expect(key).trim();
    let mut fingerprint = [0; 32];
    for (place, byte) in fingerprint.iter_mut().zip(value("a=fingerprint:sha-256 ").split(':')) {
        *place = u8::from_str_radix(byte, 16).expect("hexadecimal");
    }
    Description::new(value("a=ice-ufrag:"), value("a=ice-pwd:"), fingerprint, 0).expect("RFC 8839")
}

/// A candidate of the link, for the browser (RFC 8839 section 5.1).
pub fn candidate(of: &Candidate) -> String {
    let (ip, port) = (of.address().ip(), of.address().port());
    let kind = match of.kind() {
        Kind::Host => "host",
        Kind::Srflx => "srflx",
        Kind::Prflx => "prflx",
        Kind::Relay => "relay",
    };
    let related = if of.kind() == Kind::Host { "" } else { " raddr 0.0.0.0 rport 0" };
    format!("candidate:{} 1 udp {} {ip} {port} typ {kind}{related}", of.foundation(), of.priority())
}

/// A candidate of the browser, for the link; `None` for one that a link cannot use.
pub fn parse(line: &str) -> Option<Candidate> {
    let words: Vec<_> = line.strip_prefix("candidate:")?.split(' ').collect();
    let [foundation, _, transport, priority, host, port, _, kind, ..] = words.as_slice() else { return None };
    let kind = match *kind {
        "host" => Kind::Host,
        "srflx" => Kind::Srflx,
        "relay" => Kind::Relay,
        _ => return None,
    };
    let udp = transport.eq_ignore_ascii_case("udp");
    let (port, priority) = (port.parse().ok()?, priority.parse().ok()?);
    udp.then(|| Candidate::parse(kind, Protocol::Udp, host, port, priority, *foundation).ok()).flatten()
}
