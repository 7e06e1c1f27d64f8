//! Names of things, as text of fixed length: an app compares, keeps and hands them back.

use crate::error::{ErrorCode, SidetoneError};

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident($inner:path, $len:literal);)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, uniffi::Record)]
        pub struct $name {
            /// The bytes in lower-case hexadecimal digits.
            pub hex: String,
        }

        impl From<$inner> for $name {
            fn from(id: $inner) -> Self {
                Self { hex: hex(id.as_bytes()) }
            }
        }

        impl $name {
            pub(crate) fn parse(&self) -> Result<[u8; $len], SidetoneError> {
                bytes(&self.hex).ok_or_else(|| SidetoneError::of(ErrorCode::NotAnId))
            }
        }
    )+};
}

id! {
    /// A person: never changes, whatever the person is called.
    UserId(sidetone::UserId, 16);
    /// One call.
    CallId(sidetone::CallId, 16);
    /// One transfer of a file.
    TransferId(sidetone::TransferId, 16);
    /// One room.
    RoomId(sidetone::RoomId, 16);
    /// Somebody in one room, made anew at each entry.
    MemberId(sidetone::MemberId, 16);
    /// Two strangers who met.
    MatchId(sidetone::MatchId, 16);
    /// The public half of a person's key.
    PublicKey(sidetone::PublicKey, 32);
}

/// One message, by the same name on both phones.
#[derive(Debug, Clone, PartialEq, Eq, Hash, uniffi::Record)]
pub struct MessageId {
    /// The bytes in lower-case hexadecimal digits.
    pub hex: String,
}

impl From<sidetone::MessageId> for MessageId {
    fn from(id: sidetone::MessageId) -> Self {
        Self { hex: hex(id.lane.as_bytes()) + &hex(&id.seq.0.to_be_bytes()) }
    }
}

impl MessageId {
    pub(crate) fn inner(&self) -> Result<sidetone::MessageId, SidetoneError> {
        let bad = || SidetoneError::of(ErrorCode::NotAnId);
        let bytes: [u8; 24] = bytes(&self.hex).ok_or_else(bad)?;
        let (lane, seq) = bytes.split_first_chunk().ok_or_else(bad)?;
        let seq = u64::from_be_bytes(seq.try_into().map_err(|_| bad())?);
        Ok(sidetone::MessageId { lane: sidetone::LaneId(*lane), seq: sidetone::ItemSeq(seq) })
    }
}

impl UserId {
    pub(crate) fn inner(&self) -> Result<sidetone::UserId, SidetoneError> {
        self.parse().map(sidetone::UserId)
    }
}

impl TransferId {
    pub(crate) fn inner(&self) -> Result<sidetone::TransferId, SidetoneError> {
        self.parse().map(sidetone::TransferId)
    }
}

impl RoomId {
    pub(crate) fn inner(&self) -> Result<sidetone::RoomId, SidetoneError> {
        self.parse().map(sidetone::RoomId)
    }
}

impl MemberId {
    pub(crate) fn inner(&self) -> Result<sidetone::MemberId, SidetoneError> {
        self.parse().map(sidetone::MemberId)
    }
}

impl MatchId {
    pub(crate) fn inner(&self) -> Result<sidetone::MatchId, SidetoneError> {
        self.parse().map(sidetone::MatchId)
    }
}

impl CallId {
    pub(crate) fn inner(&self) -> Result<sidetone::CallId, SidetoneError> {
        self.parse().map(sidetone::CallId)
    }
}

impl PublicKey {
    pub(crate) fn inner(&self) -> Result<sidetone::PublicKey, SidetoneError> {
        sidetone::PublicKey::from_bytes(self.parse()?).map_err(|_| SidetoneError::of(ErrorCode::NotAKey))
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let digits = hex.as_bytes();
    if digits.len() != 2 * N || digits.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = [pair.first()?, pair.last()?].map(|digit| char::from(*digit).to_digit(16));
        *byte = u8::try_from(high? << 4 | low?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_the_way_into_the_app_and_back() {
        let id = sidetone::UserId([0, 1, 0x7f, 0x80, 0xab, 0xff, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        let told = UserId::from(id);
        assert_eq!(told.hex, "00017f80abff060708090a0b0c0d0e0f");
        assert_eq!(told.inner(), Ok(id));
    }

    #[test]
    fn a_message_keeps_its_name() {
        let id = sidetone::MessageId { lane: sidetone::LaneId([3; 16]), seq: sidetone::ItemSeq(0x0102) };
        let told = MessageId::from(id);
        assert_eq!(told.hex, format!("{}0000000000000102", "03".repeat(16)));
        assert_eq!(told.inner(), Ok(id));
        assert!(MessageId { hex: "03".repeat(16) }.inner().is_err());
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for hex in ["", "0", &"0".repeat(31), &"0".repeat(33), &"g".repeat(32), &"A".repeat(32), &"\u{e4}".repeat(16)] {
            let error = UserId { hex: hex.to_owned() }.inner().expect_err(hex);
            assert_eq!(error.code(), ErrorCode::NotAnId);
        }
    }
}
