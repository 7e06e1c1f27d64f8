//! What passes a link's sockets, by its first bytes (RFC 9443 section 2, RFC 7983 section 7).

use super::template::OPUS;

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
        [0, 0x16 | 0x17, ..] => data(packet.get(20..)?)?,
        packet => packet,
    };
    (Protocol::of(inner) == Protocol::Dtls).then_some(inner)
}

/// The DATA attribute among those of an indication (RFC 8489 section 14).
fn data(mut attributes: &[u8]) -> Option<&[u8]> {
    while let [high, low, long, short, rest @ ..] = attributes {
        let length = usize::from(u16::from_be_bytes([*long, *short]));
        if [*high, *low] == [0, 0x13] {
            return rest.get(..length);
        }
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
