//! What passes a link's sockets, by its first bytes (RFC 9443 section 2, RFC 7983 section 7).

use std::net::{IpAddr, SocketAddr};

use super::template::OPUS;

/// Whom an indication is about, and what it carries (RFC 8656 section 18).
const PEER: u16 = 0x0012;
const DATA: u16 = 0x0013;

/// What a packet is, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// STUN: path checks.
    Check,
    /// DTLS: handshakes and all data channels.
    Dtls,
    /// QUIC, or from a relay's address a TURN channel.
    Quic,
    /// RTP and RTCP: sound and pictures.
    Media,
    /// None of these.
    Other,
}

impl Protocol {
    /// An empty packet counts as a check: it means nothing to anybody.
    pub(super) fn of(packet: &[u8]) -> Self {
        match packet.first() {
            None | Some(0..=3) => Self::Check,
            Some(20..=63) => Self::Dtls,
            Some(64..=127 | 192..=255) => Self::Quic,
            Some(128..=191) => Self::Media,
            Some(_) => Self::Other,
        }
    }
}

/// Whether a packet asks for a path to be proven: a STUN Binding request (RFC 8489 sections 5 and 18.2).
pub(super) fn is_check(packet: &[u8]) -> bool {
    matches!(packet, [0, 1, _, _, 0x21, 0x12, 0xa4, 0x42, ..])
}

/// Whether a packet says that a path was proven: the answer to such a request.
pub(super) fn is_answer(packet: &[u8]) -> bool {
    matches!(packet, [1, 1, _, _, 0x21, 0x12, 0xa4, 0x42, ..])
}

/// Whether a packet is one of sound, by itself or in a relay's channel (RFC 8656 section 12.4).
pub(super) fn is_sound(packet: &[u8]) -> bool {
    let inner = match packet {
        [64..=79, _, _, _, inner @ ..] => inner,
        packet => packet,
    };
    matches!(inner, [128..=191, kind, ..] if kind & 0x7f == OPUS)
}

/// The DTLS of a packet, by itself or as a relay carries it: in a channel, or in a Send or Data indication
/// (RFC 8656 sections 11 and 12).
pub(super) fn dtls(packet: &[u8]) -> Option<&[u8]> {
    let inner = match packet {
        [64..=79, _, _, _, inner @ ..] => inner,
        [0, 0x16 | 0x17, ..] => attribute(packet, DATA)?,
        packet => packet,
    };
    (Protocol::of(inner) == Protocol::Dtls).then_some(inner)
}

/// A check of a path, and where it comes from: by itself, or as our relay hands it on in a Data indication.
pub(super) fn check(from: SocketAddr, packet: &[u8]) -> Option<(SocketAddr, &[u8])> {
    if is_check(packet) {
        return Some((from, packet));
    }
    let inner = if packet.starts_with(&[0, 0x17]) { attribute(packet, DATA)? } else { return None };
    is_check(inner).then_some((peer(packet)?, inner))
}

/// Whom an indication is about (RFC 8656 section 18.3): an address masked as RFC 8489 section 14.2 says.
fn peer(indication: &[u8]) -> Option<SocketAddr> {
    let mask = indication.get(4..20)?;
    let [_, family, high, low, masked @ ..] = attribute(indication, PEER)? else { return None };
    let octets: Vec<u8> = masked.iter().zip(mask).map(|(masked, mask)| masked ^ mask).collect();
    let ip = match family {
        1 => IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
        2 => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
        _ => return None,
    };
    let [first, second, ..] = mask else { return None };
    Some(SocketAddr::new(ip, u16::from_be_bytes([high ^ first, low ^ second])))
}

/// The first attribute of a kind in a STUN message (RFC 8489 section 14).
pub(super) fn attribute(message: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut rest = message.get(20..).unwrap_or_default();
    while let Some((head, after)) = rest.split_first_chunk::<4>() {
        let [kind_high, kind_low, high, low] = *head;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if u16::from_be_bytes([kind_high, kind_low]) == wanted {
            return after.get(..length);
        }
        rest = after.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use super::*;

    /// A Data indication.
    pub(in super::super) fn handed_on(address: &[u8], inner: &[u8]) -> Vec<u8> {
        let (address_length, inner_length) = (address.len() as u8, inner.len() as u8);
        let head = [&[0, 0x17, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
        [&head, &[0, 0x12, 0, address_length][..], address, &[0, 0x13, 0, inner_length], inner].concat()
    }

    #[test]
    fn protocols_are_told_apart_by_the_first_byte() {
        use Protocol::{Check, Dtls, Media, Other, Quic};
        let bounds = [(0, Check), (3, Check), (4, Other), (19, Other), (20, Dtls), (63, Dtls), (64, Quic), (127, Quic)];
        let more = [(128, Media), (191, Media), (192, Quic), (255, Quic)];
        for (first, protocol) in bounds.into_iter().chain(more) {
            assert_eq!(Protocol::of(&[first, 0]), protocol, "{first}");
        }
        assert_eq!(Protocol::of(&[]), Check);
    }

    #[test]
    fn only_a_question_for_a_path_is_one() {
        let check = [[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42], [7; 8]].concat();
        let mut answer = check.clone();
        answer[0] = 1;
        assert!(is_check(&check) && !is_answer(&check));
        assert!(is_answer(&answer) && !is_check(&answer));
        for other in [check[..7].to_vec(), answer[..7].to_vec(), vec![22; 16], vec![]] {
            assert!(!is_check(&other) && !is_answer(&other), "{other:?}");
        }
    }

    #[test]
    fn sound_is_told_from_pictures_also_in_a_channel_of_a_relay() {
        let rtp = |kind: u8| vec![0x80, kind, 0, 7, 0, 0, 0, 0];
        let channel = |inner: Vec<u8>| [vec![0x40, 3, 0, inner.len() as u8], inner].concat();
        for marker in [0, 0x80] {
            for (packet, sound) in [(rtp(OPUS | marker), true), (rtp(96 | marker), false)] {
                assert_eq!(is_sound(&packet), sound);
                assert_eq!(is_sound(&channel(packet)), sound);
            }
        }
        for other in [vec![], vec![0x80], vec![0x40, 0, 0], vec![22, OPUS], channel(vec![22, OPUS])] {
            assert!(!is_sound(&other), "{other:?}");
        }
    }

    #[test]
    fn dtls_is_found_also_where_a_relay_carries_it() {
        let record = [22, 0xfe, 0xfd, 0, 0];
        let channel = [&[0x40, 3, 0, 5][..], &record].concat();
        let address = [0, 0x12, 0, 8, 0, 1, 0, 9, 1, 2, 3, 4];
        let odd = [0x80, 0x22, 0, 3, b'a', b'b', b'c', 0];
        let indication =
            |attributes: &[u8]| [&[0, 0x17, 0, 32, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12], attributes].concat();
        let carried = [&address[..], &odd, &[0, 0x13, 0, 5], &record, &[0; 3]].concat();
        for packet in [&record[..], &channel, &indication(&carried)] {
            assert_eq!(dtls(packet), Some(&record[..]), "{packet:?}");
        }
        let cut = [&address[..], &[0, 0x13, 0, 9], &record].concat();
        for packet in
            [&[0x80, OPUS][..], &[], &[0x40, 3, 0, 0], &indication(&address), &indication(&cut), &[0, 0x17, 0]]
        {
            assert_eq!(dtls(packet), None, "{packet:?}");
        }
    }

    #[test]
    fn a_check_is_found_also_where_our_relay_hands_it_on() {
        let here = SocketAddr::from(([127, 0, 0, 1], 9));
        let check = [&[0, 1, 0, 4, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12], &[0x80, 0x2b, 0, 0]].concat();
        assert_eq!(super::check(here, &check), Some((here, &check[..])));
        // 192.0.2.1 and 2001:db8::1, port 4660, masked by hand.
        let four = [0, 1, 0x33, 0x26, 192 ^ 0x21, 0x12, 2 ^ 0xa4, 1 ^ 0x42];
        let six =
            [&[0, 2, 0x33, 0x26, 0x20 ^ 0x21, 1 ^ 0x12, 0x0d ^ 0xa4, 0xb8 ^ 0x42][..], &[7; 11], &[1 ^ 7]].concat();
        for (address, from) in [(&four[..], "192.0.2.1:4660"), (&six, "[2001:db8::1]:4660")] {
            let packet = handed_on(address, &check);
            assert_eq!(super::check(here, &packet), Some((from.parse().unwrap(), &check[..])));
            let mut asked = packet.clone();
            asked[1] = 0x16;
            let cut = packet[..packet.len() - 1].to_vec();
            for other in [handed_on(address, &[22; 40]), handed_on(&address[..7], &check), cut, asked] {
                assert_eq!(super::check(here, &other), None, "{other:?}");
            }
        }
        assert_eq!(super::check(here, &handed_on(&[0, 3, 0, 0, 1, 2, 3, 4], &check)), None);
        assert_eq!((super::check(here, &[]), super::check(here, &[0, 0x17])), (None, None));
    }
}
