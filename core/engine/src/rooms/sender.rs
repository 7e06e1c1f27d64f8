//! Our sender key in a room: who has it, when it steps, when a new one takes its place.

use sidetone_crypto::sframe::BaseKey;
use sidetone_wire::id::KeyBytes;
use sidetone_wire::record::MediaKey;

use crate::effect::SenderKey;
use crate::time::Time;

/// A key steps this often.
const STEP_MS: u64 = 600_000;
/// A key serves this long.
const GENERATION_MS: u64 = 3_600_000;
/// A new key is in use this long after it was sent to everybody.
pub(super) const LEAD_MS: u64 = 200;
/// Steps of one key; a peer that hears nothing follows no more than 32.
const STEPS: u8 = 24;

/// The key with which we seal.
pub(crate) struct Sender {
    generation: u16,
    base: BaseKey,
    /// Since when this generation is.
    since: Time,
    /// When it last stepped.
    stepped: Time,
    /// When the newest generation is taken into use; `None` once it is.
    use_at: Option<Time>,
}

impl Sender {
    /// The first key.
    pub fn new(seed: [u8; 32], now: Time) -> Self {
        Self { generation: 1, base: BaseKey::from_seed(seed), since: now, stepped: now, use_at: None }
    }

    /// The key for somebody else's record.
    pub fn said(&self) -> Option<MediaKey> {
        let base = KeyBytes::new(&self.base.to_bytes())?;
        Some(MediaKey { generation: self.generation, base })
    }

    /// The key for our own sound.
    pub fn key(&self) -> Option<SenderKey> {
        let base = BaseKey::from_bytes(&self.base.to_bytes()).ok()?;
        Some(SenderKey { generation: self.generation, base })
    }

    /// Whether another step would be one too many.
    pub fn is_worn(&self) -> bool {
        self.base.step() >= STEPS
    }

    /// Goes one step on: whoever gets the key from now on opens nothing from before.
    pub fn step(&mut self, now: Time) {
        if let Ok(next) = self.base.stepped() {
            self.base = next;
            self.stepped = now;
        }
    }

    /// A key that nobody has: whoever is not told it opens nothing from its use on.
    pub fn renew(&mut self, seed: [u8; 32], now: Time) {
        self.generation = self.generation.wrapping_add(1);
        self.base = BaseKey::from_seed(seed);
        (self.since, self.stepped) = (now, now);
        self.use_at.get_or_insert(now.after(LEAD_MS));
    }

    /// Whether the newest generation is to be taken into use now: said once.
    pub fn takes_over(&mut self, now: Time) -> bool {
        self.use_at.take_if(|at| *at <= now).is_some()
    }

    /// Whether the newest generation is in use.
    pub fn is_used(&self) -> bool {
        self.use_at.is_none()
    }

    /// Whether it is time for a new generation.
    pub fn is_old(&self, now: Time) -> bool {
        self.since.after(GENERATION_MS) <= now
    }

    /// Whether it is time for a step.
    pub fn is_due(&self, now: Time) -> bool {
        self.stepped.after(STEP_MS) <= now
    }

    pub fn deadline(&self) -> Time {
        let turn = self.since.after(GENERATION_MS).min(self.stepped.after(STEP_MS));
        self.use_at.map_or(turn, |at| at.min(turn))
    }
}
