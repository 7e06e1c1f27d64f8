//! The server's own secrets, what is sealed with them, and its one source of randomness.

use opaque_ke::{CipherSuite, Ristretto255, ServerSetup, TripleDh, rand};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use ring::signature::{ED25519, UnparsedPublicKey};
use ring::{aead, digest, hmac};
use sha2_for_opaque::Sha512;
use sidetone_wire::encounter::franked;
use sidetone_wire::id::MatchId;
use sidetone_wire::limits::FRAME_BYTES;
use sidetone_wire::push::PushAddress;
use sidetone_wire::stranger::Shown;
use zeroize::Zeroizing;

use crate::bus::Tag;
use crate::email::Email;
use crate::name::Username;
use crate::store::{Store, StoreError, TokenHash};

/// OPAQUE (RFC 9807) as both ends speak it: ristretto255 and SHA-512, 3DH. The password is stretched by the client, so
/// the server's type for that stays empty.
pub(crate) struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = opaque_ke::ksf::Identity;
}

/// Everything random the server does, from one seed.
pub(crate) struct Draws(ChaCha20Rng);

impl Draws {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

impl rand::CryptoRng for Draws {}

impl rand::RngCore for Draws {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill_bytes(dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand::Error> {
        self.0.fill_bytes(dest);
        Ok(())
    }
}

/// The server's long-term secrets.
///
/// They are kept beside the accounts, so a stolen database comes with them: sealing e-mail addresses protects a copy of
/// the `emails` table alone, a backup without the `server` table, and the pages of rows that were deleted; it does not
/// protect against whoever takes the whole file.
pub(crate) struct Keys {
    pub(crate) opaque: ServerSetup<Suite>,
    mail: aead::LessSafeKey,
    mail_mac: hmac::Key,
    tombstone: hmac::Key,
    push: [u8; 32],
}

impl Keys {
    /// Reads the secrets, or makes them the first time.
    pub(crate) async fn load(store: &mut impl Store, draws: &mut Draws) -> Result<Self, StoreError> {
        let fresh = Zeroizing::new(draws.bytes::<32>());
        let master = Zeroizing::new(store.secret("master", &*fresh).await?);
        let setup = Zeroizing::new(ServerSetup::<Suite>::new(draws).serialize().to_vec());
        let setup = Zeroizing::new(store.secret("opaque", &setup).await?);
        let derive = |label: &str| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &master);
            hmac::sign(&key, label.as_bytes())
        };
        let mail = aead::UnboundKey::new(&aead::AES_256_GCM, derive("sidetone mail v1").as_ref())
            .expect("an HMAC-SHA256 is as long as an AES-256 key");
        let mac = |label| hmac::Key::new(hmac::HMAC_SHA256, derive(label).as_ref());
        Ok(Self {
            opaque: ServerSetup::deserialize(&setup).map_err(|_| StoreError::Damaged)?,
            mail: aead::LessSafeKey::new(mail),
            mail_mac: mac("sidetone mail unique v1"),
            tombstone: mac("sidetone tombstone v1"),
            push: derive("sidetone push v1").as_ref().try_into().expect("an HMAC-SHA256 has 32 bytes"),
        })
    }

    /// What keeps an address unique without being it.
    pub(crate) fn email_mac(&self, email: &Email) -> [u8; 32] {
        tag32(&self.mail_mac, email.unique().as_bytes())
    }

    /// An address as it is kept: nonce, then AES-256-GCM.
    pub(crate) fn seal_email(&self, email: &Email, draws: &mut Draws) -> Vec<u8> {
        let nonce: [u8; aead::NONCE_LEN] = draws.bytes();
        let mut sealed = email.as_str().as_bytes().to_vec();
        let aad = aead::Aad::from(b"sidetone mail v1");
        self.mail
            .seal_in_place_append_tag(aead::Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .expect("an address is far shorter than AES-GCM's limit");
        [nonce.as_slice(), &sealed].concat()
    }

    /// The address that was sealed; `None` if the bytes are not ours.
    pub(crate) fn open_email(&self, sealed: &[u8]) -> Option<String> {
        let (nonce, rest) = sealed.split_first_chunk::<{ aead::NONCE_LEN }>()?;
        let mut rest = rest.to_vec();
        let aad = aead::Aad::from(b"sidetone mail v1");
        let nonce = aead::Nonce::assume_unique_for_key(*nonce);
        let opened = self.mail.open_in_place(nonce, aad, &mut rest).ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }

    /// Where a phone is woken, as it is kept.
    pub(crate) fn seal_push(&self, address: &PushAddress, draws: &mut Draws) -> Option<Vec<u8>> {
        let clear = sidetone_wire::encode(address, FRAME_BYTES).ok()?;
        Some(seal(&self.push, b"push", &clear, draws))
    }

    /// What was sealed by [`Keys::seal_push`]; `None` if it is not that.
    pub(crate) fn open_push(&self, sealed: &[u8]) -> Option<PushAddress> {
        sidetone_wire::decode(&unseal(&self.push, b"push", sealed)?, FRAME_BYTES).ok()
    }

    /// What is left of a name when its account is deleted.
    pub(crate) fn tombstone(&self, name: &Username) -> [u8; 32] {
        tag32(&self.tombstone, name.skeleton().as_bytes())
    }
}

fn tag32(key: &hmac::Key, bytes: &[u8]) -> [u8; 32] {
    hmac::sign(key, bytes).as_ref().try_into().expect("an HMAC-SHA256 has 32 bytes")
}

/// A short keyed hash: what stands for an address or an account where neither may stand.
pub(crate) fn tag(key: &[u8; 32], label: &str, bytes: &[u8]) -> Tag {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    context.update(label.as_bytes());
    context.update(&[0]);
    context.update(bytes);
    let mut tag = Tag::default();
    tag.copy_from_slice(&context.sign().as_ref()[..16]);
    tag
}

fn sealer(key: &[u8; 32]) -> aead::LessSafeKey {
    let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"sidetone seal v1");
    let key = aead::UnboundKey::new(&aead::AES_256_GCM, derived.as_ref())
        .expect("an HMAC-SHA256 is as long as an AES-256 key");
    aead::LessSafeKey::new(key)
}

/// Bytes that only we can read or make: nonce, then AES-256-GCM.
pub(crate) fn seal(key: &[u8; 32], what: &[u8], clear: &[u8], draws: &mut Draws) -> Vec<u8> {
    let nonce: [u8; aead::NONCE_LEN] = draws.bytes();
    let mut sealed = clear.to_vec();
    sealer(key)
        .seal_in_place_append_tag(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::from(what), &mut sealed)
        .expect("what is sealed is far shorter than AES-GCM's limit");
    [nonce.as_slice(), &sealed].concat()
}

/// What [`seal`] sealed; `None` if it is not that.
pub(crate) fn unseal(key: &[u8; 32], what: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, rest) = sealed.split_first_chunk::<{ aead::NONCE_LEN }>()?;
    let mut rest = rest.to_vec();
    let nonce = aead::Nonce::assume_unique_for_key(*nonce);
    let clear = sealer(key).open_in_place(nonce, aead::Aad::from(what), &mut rest).ok()?;
    Some(clear.to_vec())
}

/// Whether SHA-256 of these bytes begins with so many zeros.
pub(crate) fn has_zeros(bytes: &[u8], bits: u8) -> bool {
    let digest = digest::digest(&digest::SHA256, bytes);
    let zeros: u32 = match digest.as_ref().iter().position(|byte| *byte != 0) {
        Some(at) => at as u32 * 8 + digest.as_ref()[at].leading_zeros(),
        None => 256,
    };
    zeros >= u32::from(bits)
}

/// Whether somebody signed a text in a match with the key they searched with; who had none signed nothing.
pub(crate) fn is_franked(key: &[u8], id: &MatchId, shown: &Shown) -> bool {
    // All zeros would be a point of low order, under which anything is signed.
    if key.iter().all(|byte| *byte == 0) {
        return false;
    }
    let key = UnparsedPublicKey::new(&ED25519, key);
    key.verify(&franked(id, shown.number, &shown.text), &shown.frank.0).is_ok()
}

/// What is kept of a token.
pub(crate) fn token_hash(token: &[u8; 32]) -> TokenHash {
    digest::digest(&digest::SHA256, token).as_ref().try_into().expect("a SHA-256 has 32 bytes")
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What [`hex`] was made from; `None` if it is not that.
pub(crate) fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits.as_bytes().chunks(2).map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect()
}
