//! CBOR in and out, with the bounds that make it safe to feed it anything.

use serde::{Serialize, de::DeserializeOwned};

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than this form may have.
    #[error("{got} bytes where at most {limit} are allowed")]
    TooLong {
        /// Bytes given.
        got: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The form is well made but its kind is not known here: made by a newer version.
    #[error("unknown kind {0}")]
    UnknownKind(u16),
    /// Not CBOR, cut short, followed by other bytes, or a field of the wrong type or range.
    #[error("malformed: {0}")]
    Malformed(String),
}

/// Why a value cannot be sent: it is larger than its form allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{got} bytes where at most {limit} are allowed")]
pub struct EncodeError {
    /// Bytes the value takes.
    pub got: usize,
    /// Bytes allowed.
    pub limit: usize,
}

const KIND_MARK: &str = "unknown kind ";

/// The error a decoder of a tagged form reports for a kind it does not know.
pub(crate) fn unknown_kind<E: serde::de::Error>(kind: u16) -> E {
    E::custom(format_args!("{KIND_MARK}{kind}"))
}

/// Encodes a value that may take at most `limit` bytes.
pub fn encode<T: Serialize>(value: &T, limit: usize) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    // A Vec never refuses a write and our types never refuse to serialise: the empty form cannot be decoded.
    if ciborium::into_writer(value, &mut bytes).is_err() {
        bytes.clear();
    }
    if bytes.len() > limit {
        return Err(EncodeError { got: bytes.len(), limit });
    }
    Ok(bytes)
}

/// Decodes exactly one value from at most `limit` bytes.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, DecodeError> {
    if bytes.len() > limit {
        return Err(DecodeError::TooLong { got: bytes.len(), limit });
    }
    let mut rest = bytes;
    let value = ciborium::de::from_reader_with_recursion_limit(&mut rest, 32).map_err(reason)?;
    if !rest.is_empty() {
        return Err(DecodeError::Malformed(format!("{} bytes too many", rest.len())));
    }
    Ok(value)
}

fn reason(error: ciborium::de::Error<std::io::Error>) -> DecodeError {
    let text = match error {
        ciborium::de::Error::Io(_) => "cut short".to_owned(),
        ciborium::de::Error::Syntax(at) => format!("no CBOR at byte {at}"),
        ciborium::de::Error::Semantic(_, text) => text,
        ciborium::de::Error::RecursionLimitExceeded => "nested too deeply".to_owned(),
    };
    match text.strip_prefix(KIND_MARK).and_then(|kind| kind.parse().ok()) {
        Some(kind) => DecodeError::UnknownKind(kind),
        None => DecodeError::Malformed(text),
    }
}
