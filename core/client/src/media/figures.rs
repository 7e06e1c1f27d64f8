//! What a call sounds like in numbers: written by the media thread, read by anybody, without a lock.

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};

use sidetone_media::PlayoutStats;

/// Seconds of playout delay that are remembered.
pub const SECONDS: usize = 600;

/// Numbers of the call that is on, or of the last one. They begin anew with each call.
#[derive(Debug)]
pub struct Figures {
    pub(super) sent: AtomicU64,
    pub(super) heard: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) first_sent_us: AtomicU64,
    pub(super) first_heard_us: AtomicU64,
    pub(super) bytes_sent: AtomicU64,
    pub(super) bytes_heard: AtomicU64,
    pub(super) microphone_dropped: AtomicU64,
    pub(super) speaker_missing: AtomicU64,
    pub(super) largest_pull: AtomicU32,
    pub(super) their_loss: AtomicU8,
    pub(super) our_level: AtomicU8,
    pub(super) their_level: AtomicU8,
    late: AtomicU64,
    lost: AtomicU64,
    recovered: AtomicU64,
    concealed: AtomicU64,
    delay_ms: AtomicU32,
    target_ms: AtomicU32,
    loss_permille: AtomicU32,
    seconds: AtomicU32,
    delays: [AtomicU16; SECONDS],
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            sent: AtomicU64::default(),
            heard: AtomicU64::default(),
            refused: AtomicU64::default(),
            first_sent_us: AtomicU64::default(),
            first_heard_us: AtomicU64::default(),
            bytes_sent: AtomicU64::default(),
            bytes_heard: AtomicU64::default(),
            microphone_dropped: AtomicU64::default(),
            speaker_missing: AtomicU64::default(),
            largest_pull: AtomicU32::default(),
            their_loss: AtomicU8::default(),
            our_level: AtomicU8::new(127),
            their_level: AtomicU8::new(127),
            late: AtomicU64::default(),
            lost: AtomicU64::default(),
            recovered: AtomicU64::default(),
            concealed: AtomicU64::default(),
            delay_ms: AtomicU32::default(),
            target_ms: AtomicU32::default(),
            loss_permille: AtomicU32::default(),
            seconds: AtomicU32::default(),
            delays: [const { AtomicU16::new(0) }; SECONDS],
        }
    }
}

/// [`Figures`] at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SoundFigures {
    /// Frames of ours that left.
    pub frames_sent: u64,
    /// Frames of theirs that were opened and believed.
    pub frames_heard: u64,
    /// Frames that could not be opened: no key yet, or not the peer's.
    pub frames_refused: u64,
    /// Frames that came after their turn.
    pub frames_late: u64,
    /// Frames whose turn came without them.
    pub frames_lost: u64,
    /// Frames of those that were recovered from the copy in the next.
    pub frames_recovered: u64,
    /// Sound that was made up, in milliseconds.
    pub concealed_ms: u64,
    /// Sealed bytes that left.
    pub bytes_sent: u64,
    /// Sealed bytes that came.
    pub bytes_heard: u64,
    /// Samples from the microphone that found no room.
    pub microphone_dropped: u64,
    /// Samples the speaker asked for and did not get.
    pub speaker_missing: u64,
    /// How long sound waits in the jitter buffer now.
    pub delay_ms: u32,
    /// How long it should.
    pub target_ms: u32,
    /// Their frames that are lost, of a thousand, over the last seconds.
    pub loss_permille: u32,
    /// Our frames that they miss, of a thousand, by their word.
    pub their_loss_permille: u32,
    /// How loud our microphone is, in -dBov: 0 is loudest, 127 silence.
    pub our_level: u8,
    /// How loud they are.
    pub their_level: u8,
    /// The jitter buffer's delay second by second, oldest first: the last ten minutes.
    pub delays_ms: Vec<u16>,
}

impl Figures {
    /// Begins anew.
    pub(super) fn reset(&self) {
        for count in [
            &self.sent,
            &self.heard,
            &self.refused,
            &self.first_sent_us,
            &self.first_heard_us,
            &self.microphone_dropped,
            &self.speaker_missing,
            &self.bytes_sent,
            &self.bytes_heard,
        ] {
            count.store(0, Relaxed);
        }
        self.seconds.store(0, Relaxed);
        self.their_loss.store(0, Relaxed);
        self.playout(PlayoutStats::default());
    }

    pub(super) fn playout(&self, stats: PlayoutStats) {
        self.late.store(stats.late, Relaxed);
        self.lost.store(stats.lost, Relaxed);
        self.recovered.store(stats.recovered_fec, Relaxed);
        self.concealed.store(stats.concealed_samples, Relaxed);
        self.delay_ms.store(stats.delay_ms, Relaxed);
        self.target_ms.store(stats.target_ms, Relaxed);
        self.loss_permille.store(stats.loss_permille, Relaxed);
    }

    /// Remembers the delay of one more second.
    pub(super) fn second(&self, delay_ms: u32) {
        let second = self.seconds.load(Relaxed);
        let slot = &self.delays[second as usize % SECONDS];
        slot.store(u16::try_from(delay_ms).unwrap_or(u16::MAX), Relaxed);
        self.seconds.store(second.wrapping_add(1), Relaxed);
    }

    /// When the first frame left and when the first one was heard, on [`crate::clock`].
    pub fn firsts_us(&self) -> (Option<u64>, Option<u64>) {
        let first = |at: &AtomicU64| Some(at.load(Relaxed)).filter(|at| *at > 0);
        (first(&self.first_sent_us), first(&self.first_heard_us))
    }

    /// The numbers now.
    pub fn snapshot(&self) -> SoundFigures {
        let seconds = self.seconds.load(Relaxed) as usize;
        let oldest = seconds.saturating_sub(SECONDS);
        SoundFigures {
            frames_sent: self.sent.load(Relaxed),
            frames_heard: self.heard.load(Relaxed),
            frames_refused: self.refused.load(Relaxed),
            frames_late: self.late.load(Relaxed),
            frames_lost: self.lost.load(Relaxed),
            frames_recovered: self.recovered.load(Relaxed),
            concealed_ms: self.concealed.load(Relaxed) / 48,
            bytes_sent: self.bytes_sent.load(Relaxed),
            bytes_heard: self.bytes_heard.load(Relaxed),
            microphone_dropped: self.microphone_dropped.load(Relaxed),
            speaker_missing: self.speaker_missing.load(Relaxed),
            delay_ms: self.delay_ms.load(Relaxed),
            target_ms: self.target_ms.load(Relaxed),
            loss_permille: self.loss_permille.load(Relaxed),
            their_loss_permille: u32::from(self.their_loss.load(Relaxed)) * super::voice::LOSS_STEP_PERMILLE,
            our_level: self.our_level.load(Relaxed),
            their_level: self.their_level.load(Relaxed),
            delays_ms: (oldest..seconds).map(|second| self.delays[second % SECONDS].load(Relaxed)).collect(),
        }
    }
}
