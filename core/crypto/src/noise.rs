//! The one Noise suite: what `snow` needs to run `25519+MLKEM768 / AES-256-GCM / SHA-256`, deterministic from a seed.
//!
//! `snow` knows one name for its KEM slot (`Kyber1024`). The slot holds ML-KEM-768 here (FIPS 203), so the protocol name
//! and the prologue both name the true suite; neither is ever negotiated.

use libcrux_ml_kem::mlkem768;
use sha2::{Digest, Sha256};
use snow::{
    Builder, HandshakeState,
    error::Error,
    params::{BaseChoice, CipherChoice, DHChoice, HandshakeChoice, HashChoice, KemChoice, NoiseParams},
    resolvers::CryptoResolver,
    types::{Cipher, Dh, Hash, Kem, Random},
};
use x25519_dalek::StaticSecret;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    aead::{self, TAG_LEN},
    identity::Identity,
    kdf::{self, Draws, Prk, Secret},
};

const SUITE: &[u8] = b"sidetone noise v1 25519+MLKEM768 AES-256-GCM SHA-256";

pub(crate) const DH_LEN: usize = 32;
pub(crate) const KEM_PUBLIC_LEN: usize = 1_184;
const KEM_CIPHERTEXT_LEN: usize = 1_088;
const KEM_SECRET_LEN: usize = 32;

/// What one side brings to a handshake; `None` where the pattern has no such key.
pub(crate) struct Keys<'a> {
    pub(crate) own: Option<&'a Identity>,
    pub(crate) peer: Option<&'a [u8; 32]>,
    pub(crate) psk: Option<&'a [u8; 32]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Initiator,
    Responder,
}

/// A handshake state for `pattern` (as `KKhfs`), with the true suite in its name and in its prologue.
pub(crate) fn build(
    pattern: &str,
    role: Role,
    keys: &Keys<'_>,
    prologue: &[&[u8]],
    seed: &[u8; 32],
) -> Result<Box<HandshakeState>, Error> {
    let choice: HandshakeChoice = pattern.parse()?;
    let params = NoiseParams::new(
        format!("Noise_{pattern}_25519+MLKEM768_AESGCM_SHA256"),
        BaseChoice::Noise,
        choice,
        DHChoice::Curve25519,
        Some(KemChoice::Kyber1024),
        CipherChoice::AESGCM,
        HashChoice::SHA256,
    );
    let prologue = [&[SUITE], prologue].concat().concat();
    let mut builder = Builder::with_resolver(params, Box::new(Suite::new(seed, keys.own))).prologue(&prologue)?;
    if let Some(own) = keys.own {
        builder = builder.local_private_key(own.secret_bytes())?;
    }
    if let Some(peer) = keys.peer {
        builder = builder.remote_public_key(peer)?;
    }
    if let Some(psk) = keys.psk {
        builder = builder.psk(0, psk)?;
    }
    let state = match role {
        Role::Initiator => builder.build_initiator(),
        Role::Responder => builder.build_responder(),
    };
    // `snow` erases nothing. On the heap its keys stay in one place, which the app's allocator erases when it is freed.
    state.map(Box::new)
}

/// Writes the next message of a handshake.
pub(crate) fn write(state: &mut HandshakeState, payload: &[u8]) -> Result<Vec<u8>, Error> {
    // The longest message of any pattern: a key, an encrypted static key, a KEM key or ciphertext, the payload.
    let room = DH_LEN
        .saturating_add(DH_LEN + TAG_LEN)
        .saturating_add(KEM_PUBLIC_LEN + TAG_LEN)
        .saturating_add(payload.len())
        .saturating_add(TAG_LEN);
    let mut message = vec![0; room];
    let len = state.write_message(payload, &mut message)?;
    message.truncate(len);
    Ok(message)
}

/// Reads the next message of a handshake and gives its payload.
pub(crate) fn read(state: &mut HandshakeState, message: &[u8]) -> Result<Vec<u8>, Error> {
    let mut payload = vec![0; message.len()];
    match state.read_message(message, &mut payload) {
        Ok(len) => {
            payload.truncate(len);
            Ok(payload)
        }
        Err(error) => {
            payload.zeroize();
            Err(error)
        }
    }
}

/// What a finished handshake leaves: its hash, and the root of every key to come.
///
/// The two keys of Noise's `Split()` are extracted into one root, with the handshake hash as salt, so that each key drawn
/// from it is bound to the whole transcript.
pub(crate) fn finish(mut state: Box<HandshakeState>) -> ([u8; 32], Secret) {
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(state.get_handshake_hash()) {
        *to = *from;
    }
    let (mut there, mut back) = state.dangerously_get_raw_split();
    let both = Zeroizing::new([there, back].concat());
    there.zeroize();
    back.zeroize();
    let root = Prk::extract(&hash, &both).secret(&[b"sidetone root v1"]);
    (hash, root)
}

/// Resolves the suite's primitives; every random choice follows from the seed.
pub(crate) struct Suite {
    seed: Secret,
    /// The public half of our static key, known already: `snow` would have it computed again.
    own: Option<[u8; DH_LEN]>,
}

impl Suite {
    pub(crate) fn new(seed: &[u8; 32], own: Option<&Identity>) -> Self {
        Self { seed: Box::new(Zeroizing::new(*seed)), own: own.map(|own| *own.public().as_bytes()) }
    }
}

impl CryptoResolver for Suite {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Draws::new(&self.seed, b"sidetone noise ephemeral v1")))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| Box::new(X25519::new(self.own)) as Box<dyn Dh>)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        matches!(choice, HashChoice::SHA256).then(|| Box::new(Sha(Sha256::default())) as Box<dyn Hash>)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        matches!(choice, CipherChoice::AESGCM).then(|| Box::new(Gcm(None)) as Box<dyn Cipher>)
    }

    fn resolve_kem(&self, choice: &KemChoice) -> Option<Box<dyn Kem>> {
        matches!(choice, KemChoice::Kyber1024)
            .then(|| Box::new(MlKem { seed: self.seed.clone(), pair: None }) as Box<dyn Kem>)
    }
}

impl Random for Draws {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        self.fill(dest);
        Ok(())
    }
}

pub(crate) struct X25519 {
    secret: Box<StaticSecret>,
    public: [u8; DH_LEN],
    own: Option<[u8; DH_LEN]>,
}

impl X25519 {
    pub(crate) fn new(own: Option<[u8; DH_LEN]>) -> Self {
        Self { secret: Box::new(StaticSecret::from([0; DH_LEN])), public: [0; DH_LEN], own }
    }

    fn public_of(secret: &StaticSecret) -> [u8; DH_LEN] {
        x25519_dalek::PublicKey::from(secret).to_bytes()
    }
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        DH_LEN
    }

    fn priv_len(&self) -> usize {
        DH_LEN
    }

    fn set(&mut self, key: &[u8]) {
        let mut bytes = Zeroizing::new([0; DH_LEN]);
        for (to, from) in bytes.iter_mut().zip(key) {
            *to = *from;
        }
        *self.secret = StaticSecret::from(*bytes);
        // Called for our static key alone: ephemeral keys are generated.
        self.public = self.own.unwrap_or_else(|| Self::public_of(&self.secret));
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        let mut key = Zeroizing::new([0; DH_LEN]);
        rng.try_fill_bytes(key.as_mut_slice())?;
        *self.secret = StaticSecret::from(*key);
        self.public = Self::public_of(&self.secret);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        self.secret.as_bytes()
    }

    fn dh(&self, peer: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let peer = *peer.first_chunk::<DH_LEN>().ok_or(Error::Dh)?;
        let shared = self.secret.diffie_hellman(&peer.into());
        if !shared.was_contributory() {
            return Err(Error::Dh);
        }
        *out.first_chunk_mut::<DH_LEN>().ok_or(Error::Dh)? = shared.to_bytes();
        Ok(())
    }
}

struct Sha(Sha256);

impl Hash for Sha {
    fn name(&self) -> &'static str {
        "SHA256"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        Digest::reset(&mut self.0);
    }

    fn input(&mut self, data: &[u8]) {
        Digest::update(&mut self.0, data);
    }

    fn result(&mut self, out: &mut [u8]) {
        let hash = self.0.finalize_reset();
        for (to, from) in out.iter_mut().zip(hash.iter()) {
            *to = *from;
        }
    }
}

struct Gcm(Option<Box<aead::Key>>);

/// Noise section 12.4: 32 zero bits, then the counter, big-endian.
fn nonce(counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    if let Some(low) = nonce.last_chunk_mut::<8>() {
        *low = counter.to_be_bytes();
    }
    nonce
}

impl Gcm {
    fn try_encrypt(&self, counter: u64, aad: &[u8], plain: &[u8], out: &mut [u8]) -> Option<usize> {
        let key = self.0.as_ref()?;
        let (text, rest) = out.split_at_mut_checked(plain.len())?;
        let tag_out = rest.first_chunk_mut::<TAG_LEN>()?;
        text.copy_from_slice(plain);
        match key.seal(nonce(counter), aad, text) {
            Ok(tag) => {
                tag_out.copy_from_slice(tag.as_ref());
                plain.len().checked_add(TAG_LEN)
            }
            Err(aead::Refused) => {
                text.zeroize();
                None
            }
        }
    }
}

impl Cipher for Gcm {
    fn name(&self) -> &'static str {
        "AESGCM"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.0 = Some(Box::new(aead::Key::aes256(key)));
    }

    fn encrypt(&self, counter: u64, aad: &[u8], plain: &[u8], out: &mut [u8]) -> usize {
        // `snow` allows no error here. Writing nothing is safe: the message then fails at the other end.
        self.try_encrypt(counter, aad, plain, out).unwrap_or(0)
    }

    fn decrypt(&self, counter: u64, aad: &[u8], sealed: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let key = self.0.as_ref().ok_or(Error::Decrypt)?;
        let (body, tag) = sealed.split_last_chunk::<TAG_LEN>().ok_or(Error::Decrypt)?;
        let text = out.get_mut(..body.len()).ok_or(Error::Decrypt)?;
        text.copy_from_slice(body);
        key.open(nonce(counter), aad, text, tag).map_err(|aead::Refused| Error::Decrypt)?;
        Ok(body.len())
    }
}

struct MlKem {
    seed: Secret,
    pair: Option<Box<mlkem768::MlKem768KeyPair>>,
}

impl Drop for MlKem {
    fn drop(&mut self) {
        // The library has no zeroizing type; its key is overwritten where it lies, and looked at so that the write stays.
        if let Some(pair) = self.pair.as_mut() {
            **pair = mlkem768::MlKem768KeyPair::from([0; 2_400].into(), [0; KEM_PUBLIC_LEN].into());
            std::hint::black_box(pair);
        }
    }
}

impl Kem for MlKem {
    fn name(&self) -> &'static str {
        "MLKEM768"
    }

    fn pub_len(&self) -> usize {
        KEM_PUBLIC_LEN
    }

    fn ciphertext_len(&self) -> usize {
        KEM_CIPHERTEXT_LEN
    }

    fn shared_secret_len(&self) -> usize {
        KEM_SECRET_LEN
    }

    fn generate(&mut self, _: &mut dyn Random) {
        let coins = kdf::from_seed::<64>(&self.seed, b"noise mlkem768 key pair");
        self.pair = Some(Box::new(mlkem768::generate_key_pair(*coins)));
    }

    fn pubkey(&self) -> &[u8] {
        self.pair.as_ref().map_or(&[], |pair| pair.pk().as_slice())
    }

    fn encapsulate(
        &self,
        peer: &[u8],
        secret_out: &mut [u8],
        ciphertext_out: &mut [u8],
    ) -> Result<(usize, usize), Error> {
        let peer = mlkem768::MlKem768PublicKey::try_from(peer).map_err(|_| Error::Kem)?;
        if !mlkem768::validate_public_key(&peer) {
            return Err(Error::Kem);
        }
        let coins = kdf::from_seed::<32>(&self.seed, b"noise mlkem768 encapsulation");
        let (ciphertext, secret) = mlkem768::encapsulate(&peer, *coins);
        let secret = Zeroizing::new(secret);
        *secret_out.first_chunk_mut().ok_or(Error::Kem)? = *secret;
        *ciphertext_out.first_chunk_mut().ok_or(Error::Kem)? = *ciphertext.as_slice();
        Ok((KEM_SECRET_LEN, KEM_CIPHERTEXT_LEN))
    }

    fn decapsulate(&self, ciphertext: &[u8], secret_out: &mut [u8]) -> Result<usize, Error> {
        let pair = self.pair.as_ref().ok_or(Error::Kem)?;
        let ciphertext = mlkem768::MlKem768Ciphertext::try_from(ciphertext).map_err(|_| Error::Kem)?;
        let secret = Zeroizing::new(mlkem768::decapsulate(pair.private_key(), &ciphertext));
        *secret_out.first_chunk_mut().ok_or(Error::Kem)? = *secret;
        Ok(KEM_SECRET_LEN)
    }
}
