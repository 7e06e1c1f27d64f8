//! Who we are, in a token (RFC 7519) signed with ECDSA or RSA (RFC 7518).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256};
use serde_json::Value;

/// A key for ES256.
pub(crate) struct Es256(EcdsaKeyPair);

impl Es256 {
    /// A new one, as [`Es256::read`] takes it.
    pub(crate) fn fresh() -> Option<Vec<u8>> {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).ok()?;
        Some(made.as_ref().to_vec())
    }

    /// Reads PKCS #8 in DER.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new()).ok().map(Self)
    }

    /// The public key: a point, uncompressed.
    pub(crate) fn public(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }
}

/// A token signed with ECDSA on P-256.
pub(super) fn es256(key: &Es256, header: &Value, claims: &Value) -> Option<String> {
    let signed = unsigned("ES256", header, claims);
    let signature = key.0.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// A token signed with RSA.
pub(super) fn rs256(key: &rsa::KeyPair, claims: &Value) -> Option<String> {
    let signed = unsigned("RS256", &serde_json::json!({}), claims);
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn unsigned(algorithm: &str, header: &Value, claims: &Value) -> String {
    let mut header = header.clone();
    (header["alg"], header["typ"]) = (algorithm.into(), "JWT".into());
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(&header), part(claims))
}
