//! What the operator sees of strangers: counts, and nothing that could be about one of them.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher};

use hyperloglogplus::{HyperLogLog, HyperLogLogPlus};
use serde::Serialize;
use sidetone_wire::stranger::{Media, Reason};

use crate::Now;
use crate::bus::Tag;

/// Minutes that are shown.
const MINUTES: usize = 60;
/// 2^14 registers: below about ten thousand visitors the count is nearly exact, above it errs by 0.8 %.
const PRECISION: u8 = 14;
/// Upper ends of the lengths that are told apart, in milliseconds; one more holds what is longer.
const LENGTHS_MS: [u64; 4] = [10_000, 60_000, 300_000, 1_800_000];

/// What happened in one minute in one pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Minute {
    /// Minutes since 1970-01-01 UTC.
    pub minute: u64,
    /// Matches that began.
    pub matches: u64,
    /// Matches that one left for the next.
    pub skips: u64,
    /// Matches that did not begin.
    pub unwanted: u64,
    /// Complaints.
    pub reports: u64,
    /// Matches that ended after up to 10 s, 1 min, 5 min, 30 min, and longer ones.
    pub lengths: [u64; 5],
}

/// One way to talk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PoolCounts {
    /// Who waits now.
    pub waiting: u64,
    /// Matches that last now.
    pub matched: u64,
    /// The last hour, newest last; minutes without anything are left out.
    pub minutes: Vec<Minute>,
}

/// All counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Radar {
    /// Who waits or talks now.
    pub active: u64,
    /// Different addresses that searched today, nearly.
    pub visitors_today: u64,
    /// Sessions and addresses that must do work before they search.
    pub slowed: u64,
    /// Sessions and addresses that meet suspects only.
    pub shadowed: u64,
    /// Sessions and addresses that may not search.
    pub barred: u64,
    /// Complaints today, by reason: bot, spam, abuse, nudity, minor, other.
    pub reports_today: [u64; 6],
    /// In writing, by voice, with video.
    pub pools: [PoolCounts; 3],
}

/// Counts as they come.
pub(crate) struct Counter {
    day: u32,
    visitors: HyperLogLogPlus<Tag, BuildHasherDefault<DefaultHasher>>,
    reports: [u64; 6],
    minutes: [VecDeque<Minute>; 3],
}

/// What happens to a match.
pub(crate) enum Happened {
    Began,
    Unwanted,
    Skipped,
    Ended { after_ms: u64 },
    Reported,
}

fn place(media: Media) -> usize {
    match media {
        Media::Text | Media::Unknown => 0,
        Media::Voice => 1,
        Media::Video => 2,
    }
}

fn visitors() -> HyperLogLogPlus<Tag, BuildHasherDefault<DefaultHasher>> {
    HyperLogLogPlus::new(PRECISION, BuildHasherDefault::default()).expect("the precision is in its range")
}

impl Counter {
    pub(crate) fn new() -> Self {
        Self { day: 0, visitors: visitors(), reports: [0; 6], minutes: Default::default() }
    }

    fn today(&mut self, now: Now) {
        if self.day != now.day() {
            (self.day, self.visitors, self.reports) = (now.day(), visitors(), [0; 6]);
        }
    }

    /// Somebody searched; the tag is of today and serves to count each one once.
    pub(crate) fn visit(&mut self, now: Now, from: &Tag) {
        self.today(now);
        self.visitors.insert(from);
    }

    pub(crate) fn happened(&mut self, now: Now, media: Media, what: Happened) {
        let minute = now.unix_ms / 60_000;
        let minutes = &mut self.minutes[place(media)];
        if minutes.back().is_none_or(|last| last.minute != minute) {
            minutes.push_back(Minute { minute, ..Minute::default() });
            while minutes.len() > MINUTES {
                minutes.pop_front();
            }
        }
        let Some(last) = minutes.back_mut() else { return };
        match what {
            Happened::Began => last.matches += 1,
            Happened::Unwanted => last.unwanted += 1,
            Happened::Skipped => last.skips += 1,
            Happened::Reported => last.reports += 1,
            Happened::Ended { after_ms } => {
                let bucket = LENGTHS_MS.iter().position(|end| after_ms <= *end).unwrap_or(LENGTHS_MS.len());
                last.lengths[bucket] += 1;
            }
        }
    }

    pub(crate) fn reported(&mut self, now: Now, media: Media, reason: Reason) {
        self.today(now);
        self.happened(now, media, Happened::Reported);
        let kind = usize::from(reason.number()).clamp(1, 6) - 1;
        self.reports[kind] += 1;
    }

    /// What is counted here; who waits and talks is known elsewhere.
    pub(crate) fn read(&mut self, now: Now, live: &BTreeMap<Media, (u64, u64)>) -> Radar {
        self.today(now);
        let mut radar = Radar { reports_today: self.reports, ..Radar::default() };
        radar.visitors_today = self.visitors.count().round() as u64;
        for (place, minutes) in self.minutes.iter().enumerate() {
            let from = (now.unix_ms / 60_000).saturating_sub(MINUTES as u64 - 1);
            radar.pools[place].minutes = minutes.iter().filter(|minute| minute.minute >= from).copied().collect();
        }
        for (media, (waiting, matched)) in live {
            let pool = &mut radar.pools[place(*media)];
            pool.waiting += waiting;
            pool.matched += matched;
            radar.active += waiting + 2 * matched;
        }
        radar
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Draws;

    #[test]
    fn visitors_are_counted_once_a_day_and_nearly_right() {
        let mut draws = Draws::new([7; 32]);
        let mut counter = Counter::new();
        let now = Now { ticks_ms: 0, unix_ms: 1_790_000_000_000 };
        let tags: Vec<Tag> = (0..50_000).map(|_| draws.bytes()).collect();
        for (known, most_off) in [(0, 0), (1, 0), (1_000, 2), (50_000, 1_500)] {
            for _ in 0..2 {
                tags[..known].iter().for_each(|tag| counter.visit(now, tag));
            }
            let seen = counter.read(now, &BTreeMap::new()).visitors_today;
            assert!(seen.abs_diff(known as u64) <= most_off, "{seen} of {known}");
        }
        let tomorrow = Now { unix_ms: now.unix_ms + 86_400_000, ..now };
        assert_eq!(counter.read(tomorrow, &BTreeMap::new()).visitors_today, 0);
    }

    #[test]
    fn an_hour_is_shown_and_nothing_older() {
        let mut counter = Counter::new();
        let mut now = Now { ticks_ms: 0, unix_ms: 1_790_000_000_000 };
        for after_ms in [1, 10_000, 10_001, 60_000, 299_999, 1_800_001] {
            counter.happened(now, Media::Voice, Happened::Ended { after_ms });
        }
        assert_eq!(counter.read(now, &BTreeMap::new()).pools[1].minutes[0].lengths, [2, 2, 1, 0, 1]);
        for _ in 0..200 {
            now.unix_ms += 60_000;
            counter.happened(now, Media::Text, Happened::Began);
        }
        let radar = counter.read(now, &BTreeMap::new());
        assert_eq!((radar.pools[0].minutes.len(), radar.pools[1].minutes.len()), (60, 0));
    }
}
