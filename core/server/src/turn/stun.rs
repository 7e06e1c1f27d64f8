//! STUN messages (RFC 8489): reading without copying, writing what a server answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ring::hmac;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
/// MESSAGE-INTEGRITY with its header.
const INTEGRITY: usize = 24;

/// Attribute types (RFC 8489 section 18.3, RFC 8656 section 18).
pub(super) mod attr {
    pub const USERNAME: u16 = 0x0006;
    pub const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub const ERROR_CODE: u16 = 0x0009;
    pub const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
    pub const CHANNEL_NUMBER: u16 = 0x000c;
    pub const LIFETIME: u16 = 0x000d;
    pub const XOR_PEER_ADDRESS: u16 = 0x0012;
    pub const DATA: u16 = 0x0013;
    pub const REALM: u16 = 0x0014;
    pub const NONCE: u16 = 0x0015;
    pub const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    pub const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
    pub const REQUESTED_TRANSPORT: u16 = 0x0019;
    pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    /// Types from here on may be ignored by one who does not know them.
    pub const OPTIONAL: u16 = 0x8000;
}

/// Methods (RFC 8489 section 18.2, RFC 8656 section 17).
pub(super) mod method {
    pub const BINDING: u16 = 0x001;
    pub const ALLOCATE: u16 = 0x003;
    pub const REFRESH: u16 = 0x004;
    pub const SEND: u16 = 0x006;
    pub const DATA: u16 = 0x007;
    pub const CREATE_PERMISSION: u16 = 0x008;
    pub const CHANNEL_BIND: u16 = 0x009;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Request,
    Indication,
    Success,
    Error,
}

/// A message whose attributes were checked to lie within it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub class: Class,
    pub method: u16,
    pub id: [u8; 12],
    bytes: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a message; `None` if it is none.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.first_chunk::<HEADER>()?;
        let kind = u16::from_be_bytes([header[0], header[1]]);
        let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let whole = len.is_multiple_of(4) && len + HEADER == bytes.len();
        if kind & 0xc000 != 0 || header[4..8] != COOKIE || !whole {
            return None;
        }
        let class = match kind & 0x0110 {
            0x0000 => Class::Request,
            0x0010 => Class::Indication,
            0x0100 => Class::Success,
            _ => Class::Error,
        };
        let method = (kind & 0x000f) | (kind & 0x00e0) >> 1 | (kind & 0x3e00) >> 2;
        let id = *header.last_chunk()?;
        let message = Self { class, method, id, bytes };
        // The walk ends early at an attribute that reaches beyond the message.
        let reached = message.attributes().last().map_or(HEADER, |(_, at, value)| at + padded(value.len()));
        (reached == bytes.len()).then_some(message)
    }

    /// Type, where the value begins, and the value of each attribute.
    fn attributes(&self) -> impl Iterator<Item = (u16, usize, &'a [u8])> + use<'a> {
        let bytes = self.bytes;
        let mut at = HEADER;
        std::iter::from_fn(move || {
            let head = bytes.get(at..)?.first_chunk::<4>()?;
            let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let start = at + 4;
            let value = bytes.get(start..start + len)?;
            bytes.get(..start + padded(len))?;
            at = start + padded(len);
            Some((u16::from_be_bytes([head[0], head[1]]), start, value))
        })
    }

    /// The first attribute of a type. What follows MESSAGE-INTEGRITY is not authenticated and does not count.
    pub fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.trusted().find(|(one, _)| *one == kind).map(|(_, value)| value)
    }

    /// Every attribute of a type.
    pub fn all(&self, kind: u16) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.trusted().filter(move |(one, _)| *one == kind).map(|(_, value)| value)
    }

    fn trusted(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let mut ended = false;
        self.attributes().map_while(move |(kind, _, value)| {
            let yields = !ended;
            ended |= kind == attr::MESSAGE_INTEGRITY;
            yields.then_some((kind, value))
        })
    }

    /// The types a server has to know and does not.
    pub fn unknown(&self, known: &[u16]) -> Vec<u16> {
        let strange = |kind: &u16| *kind < attr::OPTIONAL && !known.contains(kind);
        self.trusted().map(|(kind, _)| kind).filter(strange).take(8).collect()
    }

    /// An address of the XOR kind.
    pub fn address(&self, value: &[u8]) -> Option<SocketAddr> {
        let (head, ip) = value.split_first_chunk::<4>()?;
        let port = u16::from_be_bytes([head[2] ^ COOKIE[0], head[3] ^ COOKIE[1]]);
        let mask = mask(&self.id);
        let ip: IpAddr = match head[1] {
            1 => {
                let mut ip: [u8; 4] = ip.try_into().ok()?;
                ip.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
                Ipv4Addr::from(ip).into()
            }
            2 => {
                let mut ip: [u8; 16] = ip.try_into().ok()?;
                ip.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
                Ipv6Addr::from(ip).into()
            }
            _ => return None,
        };
        Some((ip, port).into())
    }

    /// Whether MESSAGE-INTEGRITY (RFC 8489 section 14.5) is there and right.
    pub fn is_signed_by(&self, key: &hmac::Key) -> bool {
        let Some((_, start, value)) = self.attributes().find(|(kind, ..)| *kind == attr::MESSAGE_INTEGRITY) else {
            return false;
        };
        let head = start - 4;
        let covered = (head + INTEGRITY - HEADER) as u16;
        let mut signed = Vec::with_capacity(head);
        signed.extend_from_slice(&self.bytes[..2]);
        signed.extend_from_slice(&covered.to_be_bytes());
        signed.extend_from_slice(&self.bytes[4..head]);
        hmac::verify(key, &signed, value).is_ok()
    }
}

fn padded(len: usize) -> usize {
    len.next_multiple_of(4)
}

fn mask(id: &[u8; 12]) -> impl Iterator<Item = u8> + use<> {
    COOKIE.into_iter().chain(*id)
}

/// A message being written.
pub(super) struct Writer {
    bytes: Vec<u8>,
    id: [u8; 12],
}

impl Writer {
    pub fn new(class: Class, method: u16, id: [u8; 12]) -> Self {
        let class = match class {
            Class::Request => 0x0000,
            Class::Indication => 0x0010,
            Class::Success => 0x0100,
            Class::Error => 0x0110,
        };
        let kind = (method & 0x000f) | (method & 0x0070) << 1 | (method & 0x0f80) << 2 | class;
        let mut bytes = Vec::with_capacity(160);
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&COOKIE);
        bytes.extend_from_slice(&id);
        Self { bytes, id }
    }

    pub fn put(mut self, kind: u16, value: &[u8]) -> Self {
        self.bytes.extend_from_slice(&kind.to_be_bytes());
        self.bytes.extend_from_slice(&(value.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(padded(self.bytes.len()), 0);
        self
    }

    pub fn address(self, kind: u16, addr: SocketAddr) -> Self {
        let [high, low] = addr.port().to_be_bytes();
        let family = if addr.is_ipv4() { 1 } else { 2 };
        let mut value = vec![0, family, high ^ COOKIE[0], low ^ COOKIE[1]];
        let mask = mask(&self.id);
        match addr.ip() {
            IpAddr::V4(ip) => value.extend(ip.octets().into_iter().zip(mask).map(|(byte, mask)| byte ^ mask)),
            IpAddr::V6(ip) => value.extend(ip.octets().into_iter().zip(mask).map(|(byte, mask)| byte ^ mask)),
        }
        self.put(kind, &value)
    }

    pub fn error(self, code: u16, reason: &str) -> Self {
        let mut value = vec![0, 0, (code / 100) as u8, (code % 100) as u8];
        value.extend_from_slice(reason.as_bytes());
        self.put(attr::ERROR_CODE, &value)
    }

    /// The message, signed if there is a key.
    pub fn finish(mut self, key: Option<&hmac::Key>) -> Vec<u8> {
        if let Some(key) = key {
            self.length(INTEGRITY);
            let tag = hmac::sign(key, &self.bytes);
            self = self.put(attr::MESSAGE_INTEGRITY, tag.as_ref());
        }
        self.length(0);
        self.bytes
    }

    fn length(&mut self, more: usize) {
        let len = (self.bytes.len() - HEADER + more) as u16;
        self.bytes[2..4].copy_from_slice(&len.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769 section 2.1 without its FINGERPRINT, which this server neither asks for nor sends.
    #[test]
    fn the_sample_request_of_rfc_5769_is_read_and_its_signature_holds() {
        let sample = hex::decode(
            concat!(
                "000100582112a442b7e7a701bc34d686fa87dfae",
                "802200105354554e207465737420636c69656e74",
                "002400046e0001ff80290008932ff9b151263b36",
                "00060009 6576746a3a68367659202020",
                "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2",
                "80280004e57a3bcf"
            )
            .replace(' ', ""),
        )
        .unwrap();
        let message = Message::read(&sample).unwrap();
        assert_eq!((message.class, message.method), (Class::Request, method::BINDING));
        assert_eq!(message.get(attr::USERNAME), Some(&b"evtj:h6vY"[..]));
        let key = |password: &[u8]| hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password);
        assert!(message.is_signed_by(&key(b"VOkJxbRl1RmTxUk/WvJxBt")));
        assert!(!message.is_signed_by(&key(b"VOkJxbRl1RmTxUk/WvJxBu")));
        for at in [0, 9, 30, 70, 80] {
            let mut forged = sample.clone();
            forged[at] ^= 1;
            assert!(
                !Message::read(&forged).is_some_and(|one| one.is_signed_by(&key(b"VOkJxbRl1RmTxUk/WvJxBt"))),
                "{at}"
            );
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"key");
        for addr in ["192.0.2.1:32853", "[2001:db8::7]:5"] {
            let addr: SocketAddr = addr.parse().unwrap();
            let bytes = Writer::new(Class::Success, method::CHANNEL_BIND, [7; 12])
                .address(attr::XOR_PEER_ADDRESS, addr)
                .error(438, "odd")
                .finish(Some(&key));
            let message = Message::read(&bytes).unwrap();
            assert_eq!((message.class, message.method), (Class::Success, method::CHANNEL_BIND));
            assert_eq!(message.address(message.get(attr::XOR_PEER_ADDRESS).unwrap()), Some(addr));
            assert_eq!(message.get(attr::ERROR_CODE), Some(&b"\0\0\x04\x26odd"[..]));
            assert!(message.is_signed_by(&key));
            for cut in 0..bytes.len() {
                assert!(Message::read(&bytes[..cut]).is_none());
            }
        }
    }
}
