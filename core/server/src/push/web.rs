//! Web Push: a message of one byte that means nothing, sealed for one phone (RFC 8291), from a server that says who it is
//! (RFC 8292).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use sidetone_wire::push::WebPush;
use url::Url;

use super::jwt::{self, Es256};
use super::{Call, Doorbell, KEEP_S, NoCall};
use crate::Now;

/// For how long a service may believe what we say; RFC 8292 section 2 allows a day.
const TOKEN_S: u64 = 12 * 3_600;
/// Longest record, and the only one.
const RECORD_BYTES: u32 = 4_096;

/// Rings by push services of their users' choice.
pub(crate) struct Web {
    key: Es256,
    contact: String,
}

impl Web {
    pub(crate) fn new(key: Es256, contact: String) -> Self {
        Self { key, contact }
    }

    pub(crate) fn key(&self) -> Vec<u8> {
        self.key.public().to_vec()
    }
}

/// Where a message is posted: by https, at a host, and nothing that the host would not be told.
pub(crate) fn endpoint(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (url.scheme() == "https" && url.has_host() && plain).then_some(url)
}

impl Doorbell<WebPush> for Web {
    fn call(&mut self, now: Now, to: &WebPush) -> Result<Call, NoCall> {
        let url = endpoint(&to.endpoint).ok_or(NoCall)?;
        let audience = url.origin().ascii_serialization();
        let expires_s = now.unix_ms / 1_000 + TOKEN_S;
        let claims = serde_json::json!({ "aud": audience, "exp": expires_s, "sub": self.contact });
        let token = jwt::es256(&self.key, &serde_json::json!({}), &claims).ok_or(NoCall)?;
        let ours = URL_SAFE_NO_PAD.encode(self.key.public());
        Ok(Call {
            url,
            headers: vec![
                ("authorization", format!("vapid t={token}, k={ours}")),
                ("content-encoding", "aes128gcm".into()),
                ("content-type", "application/octet-stream".into()),
                ("ttl", KEEP_S.to_string()),
                ("urgency", "high".into()),
                // Who was called twice while asleep wakes once.
                ("topic", "call".into()),
            ],
            body: seal(to, &[0]).ok_or(NoCall)?,
            http2: false,
        })
    }
}

struct Len(usize);

impl KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(prk: &ring::hkdf::Prk, info: &[&[u8]]) -> Option<[u8; N]> {
    let mut out = [0; N];
    prk.expand(info, Len(N)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

/// Seals a short message for a subscription (RFC 8291 section 3.4, RFC 8188 section 2).
fn seal(to: &WebPush, clear: &[u8]) -> Option<Vec<u8>> {
    let random = SystemRandom::new();
    let own = EphemeralPrivateKey::generate(&ECDH_P256, &random).ok()?;
    let public = own.compute_public_key().ok()?;
    let public = public.as_ref();
    let mut salt = [0; 16];
    random.fill(&mut salt).ok()?;
    let theirs = UnparsedPublicKey::new(&ECDH_P256, to.key.as_ref());
    let input = agree_ephemeral(own, &theirs, |shared| {
        let prk = Salt::new(HKDF_SHA256, &to.auth).extract(shared);
        expand::<32>(&prk, &[b"WebPush: info\0", &to.key, public])
    })
    .ok()??;
    let prk = Salt::new(HKDF_SHA256, &salt).extract(&input);
    let key: [u8; 16] = expand(&prk, &[b"Content-Encoding: aes128gcm\0"])?;
    let nonce: [u8; 12] = expand(&prk, &[b"Content-Encoding: nonce\0"])?;
    // The delimiter of the last record.
    let mut record = [clear, &[2]].concat();
    LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut record)
        .ok()?;
    let length = [u8::try_from(public.len()).ok()?];
    Some([&salt[..], &RECORD_BYTES.to_be_bytes(), &length, public, &record].concat())
}
