//! The only text the library reads about a peer, written here from typed values, and what is read of its own.

use std::fmt::Write as _;

use super::Role;
use super::description::{Candidate, Description, Kind, Protocol};
use super::pieces::MESSAGE_BYTES;

/// RTP payload type of Opus on every link.
pub(super) const OPUS: u8 = 111;
/// How Opus is described, here and to the library.
pub(super) const OPUS_FORMAT: &str = "minptime=10;useinbandfec=1";

/// RTP payload type of pictures and of reports about them, on every link; the payload's first byte tells which.
pub(super) const PICTURES: u8 = 96;
/// What it is called, here and to the library: no codec, for what is inside is sealed.
pub(super) const PICTURES_NAME: &str = "sidetone";

/// The SSRC of an end's sound. Keys are fresh per link and a link has two ends, so nothing is gained by chance.
pub(super) fn sound_ssrc(role: Role) -> u32 {
    match role {
        Role::Offer => 0x5344_0001,
        Role::Answer => 0x5344_0002,
    }
}

/// The SSRC of an end's pictures.
pub(super) fn pictures_ssrc(role: Role) -> u32 {
    match role {
        Role::Offer => 0x5344_0003,
        Role::Answer => 0x5344_0004,
    }
}

/// Which half of an exchange a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Offer,
    Answer,
}

/// The text for `remote`, the end with role `role`, as one half of an exchange (RFC 8866, RFC 9429).
///
/// Its media sections are those the library writes itself: sound with mid 0, pictures with mid 1, then the data channels.
/// More data channels need no more text.
pub(super) fn session(remote: &Description, role: Role, half: Half) -> String {
    // The answering end starts the DTLS handshake, whoever offers a restart later.
    let setup = match (half, role) {
        (Half::Offer, _) => "actpass",
        (Half::Answer, Role::Answer) => "active",
        (Half::Answer, Role::Offer) => "passive",
    };
    let transport = format!(
        "c=IN IP4 0.0.0.0\r\na=setup:{setup}\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=ice-options:trickle\r\n",
        remote.ufrag(),
        remote.pwd()
    );
    let mut text = format!(
        "v=0\r\no=- 1 {} IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 ",
        u64::from(remote.generation()) + 1
    );
    for (place, byte) in remote.fingerprint().iter().enumerate() {
        let colon = if place == 0 { "" } else { ":" };
        write!(text, "{colon}{byte:02X}").expect("writing to a String cannot fail");
    }
    let (ssrc, pictures) = (sound_ssrc(role), pictures_ssrc(role));
    write!(
        text,
        "\r\na=group:BUNDLE 0 1 2\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF {OPUS}\r\n{transport}a=mid:0\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
         a=rtpmap:{OPUS} opus/48000/2\r\na=fmtp:{OPUS} {OPUS_FORMAT}\r\n\
         a=ssrc:{ssrc} cname:sound\r\na=ssrc:{ssrc} msid:sound sound\r\na=msid:sound sound\r\na=sendrecv\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF {PICTURES}\r\n{transport}a=mid:1\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
         a=rtpmap:{PICTURES} {PICTURES_NAME}/90000\r\n\
         a=ssrc:{pictures} cname:pictures\r\na=ssrc:{pictures} msid:pictures pictures\r\n\
         a=msid:pictures pictures\r\na=sendrecv\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{transport}a=mid:2\r\na=sendrecv\r\n\
         a=sctp-port:5000\r\na=max-message-size:{MESSAGE_BYTES}\r\n"
    )
    .expect("writing to a String cannot fail");
    text
}

/// The text for one candidate of the peer (RFC 8839 section 5.1).
pub(super) fn candidate(candidate: &Candidate) -> String {
    let kind = match candidate.kind() {
        Kind::Host => "host",
        Kind::Srflx => "srflx",
        Kind::Prflx => "prflx",
        Kind::Relay => "relay",
    };
    let protocol = match candidate.protocol() {
        Protocol::Udp => "udp",
        Protocol::Tcp => "tcp",
    };
    format!(
        "candidate:{} 1 {protocol} {} {} {} typ {kind}",
        candidate.foundation(),
        candidate.priority(),
        candidate.address().ip(),
        candidate.address().port()
    )
}

/// What the library's own text says about this end; `None` when the library is not the one this was written for.
pub(super) fn own(text: &str, generation: u32) -> Option<Description> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    let mut fingerprint = [0; 32];
    let mut bytes = value("a=fingerprint:sha-256 ")?.split(':');
    for byte in &mut fingerprint {
        *byte = u8::from_str_radix(bytes.next()?, 16).ok()?;
    }
    if bytes.next().is_some() {
        return None;
    }
    Description::new(value("a=ice-ufrag:")?, value("a=ice-pwd:")?, fingerprint, generation).ok()
}
