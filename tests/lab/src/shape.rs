//! What a link does to packets, in numbers and as text.

use std::str::FromStr;
use std::time::Duration;

/// How much may wait before a link of limited rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// As much as leaves within this time.
    Time(Duration),
    /// So many bytes.
    Bytes(u64),
}

/// A time in which nothing passes, counted from when the wire was joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// When it begins.
    pub begins: Duration,
    /// How long it lasts.
    pub lasts: Duration,
}

/// What one direction of a link does to packets; nothing, by default.
///
/// As text: words such as `delay=20ms jitter=5ms loss=1% reorder=0.1% duplicate=0.1% rate=20mbit queue=100ms
/// outage=5s+2s`, separated by spaces or commas; a queue may also be in bytes (`queue=64kb`), and a rate may change later on
/// (`rate=3mbit step=10s:300kbit step=40s:3mbit`).
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// How long each packet takes, one way.
    pub delay: Duration,
    /// How much longer it may take, evenly spread; packets stay in order.
    pub jitter: Duration,
    /// The share of packets that are lost, after they waited and took their time on the wire; 0 to 1.
    pub loss: f64,
    /// The share of packets that let later ones pass.
    pub reorder: f64,
    /// How much later such a packet arrives.
    pub reorder_by: Duration,
    /// The share of packets that arrive twice.
    pub duplicate: f64,
    /// Bits per second; without limit if `None`.
    pub rate: Option<u64>,
    /// Other rates from some moment on, counted from when the wire was joined; in order.
    pub steps: Vec<(Duration, u64)>,
    /// What may wait before a limited rate; what comes on top is dropped.
    pub queue: Queue,
    /// When nothing passes.
    pub outages: Vec<Outage>,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            reorder: 0.0,
            reorder_by: Duration::from_millis(10),
            duplicate: 0.0,
            rate: None,
            steps: Vec::new(),
            queue: Queue::Time(Duration::from_millis(100)),
            outages: Vec::new(),
        }
    }
}

/// A word of a shape that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {0:?}")]
pub struct Unreadable(String);

impl FromStr for Shape {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let mut shape = Self::default();
        for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
            shape.take(word).ok_or_else(|| Unreadable(word.to_owned()))?;
        }
        Ok(shape)
    }
}

impl Shape {
    /// Bits per second at a moment.
    pub(crate) fn rate_at(&self, now: Duration) -> Option<u64> {
        self.steps.iter().rev().find(|(begins, _)| *begins <= now).map_or(self.rate, |(_, rate)| Some(*rate))
    }

    fn take(&mut self, word: &str) -> Option<()> {
        let (key, value) = word.split_once('=')?;
        match key {
            "delay" => self.delay = time(value)?,
            "jitter" => self.jitter = time(value)?,
            "loss" => self.loss = share(value)?,
            "reorder" => self.reorder = share(value)?,
            "reorder_by" => self.reorder_by = time(value)?,
            "duplicate" => self.duplicate = share(value)?,
            "rate" => {
                self.rate = Some(bits(value)?).filter(|rate| *rate > 0);
            }
            "step" => {
                let (begins, rate) = value.split_once(':')?;
                self.steps.push((time(begins)?, bits(rate)?));
            }
            "queue" => {
                let bytes = || scaled(value, &[("mb", 1e6), ("kb", 1e3), ("b", 1.0)]).map(Queue::Bytes);
                self.queue = time(value).map(Queue::Time).or_else(bytes)?;
            }
            "outage" => {
                let (begins, lasts) = value.split_once('+')?;
                self.outages.push(Outage { begins: time(begins)?, lasts: time(lasts)? });
            }
            _ => return None,
        }
        Some(())
    }
}

fn bits(text: &str) -> Option<u64> {
    scaled(text, &[("gbit", 1e9), ("mbit", 1e6), ("kbit", 1e3)])
}

fn time(text: &str) -> Option<Duration> {
    scaled(text, &[("ms", 1e3), ("us", 1.0), ("s", 1e6)]).map(Duration::from_micros)
}

fn share(text: &str) -> Option<f64> {
    let percent: f64 = text.strip_suffix('%')?.parse().ok()?;
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}

fn scaled(text: &str, units: &[(&str, f64)]) -> Option<u64> {
    let (number, scale) = units.iter().find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, scale)))?;
    let number: f64 = number.parse().ok()?;
    (number >= 0.0 && number.is_finite()).then_some((number * scale).round() as u64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_read_from_words_and_nonsense_is_refused() {
        let text = "delay=20ms,jitter=500us loss=1% rate=20mbit queue=64kb outage=5s+2s duplicate=0.5%";
        let shape: Shape = text.parse().unwrap();
        assert_eq!((shape.delay, shape.jitter), (Duration::from_millis(20), Duration::from_micros(500)));
        assert_eq!((shape.loss, shape.duplicate, shape.rate), (0.01, 0.005, Some(20_000_000)));
        assert_eq!(shape.queue, Queue::Bytes(64_000));
        assert_eq!(shape.outages, [Outage { begins: Duration::from_secs(5), lasts: Duration::from_secs(2) }]);
        let text = "rate=3mbit step=10s:300kbit step=40s:3mbit";
        let shape: Shape = text.parse().unwrap();
        let at = |seconds| shape.rate_at(Duration::from_secs(seconds));
        assert_eq!([at(0), at(10), at(39), at(41)], [3_000_000, 300_000, 300_000, 3_000_000].map(Some));
        assert_eq!("".parse::<Shape>().unwrap(), Shape::default());
        for nonsense in
            ["delay", "delay=20", "loss=101%", "loss=-1%", "rate=fast", "speed=1mbit", "outage=5s", "delay=NaNms"]
        {
            assert_eq!(nonsense.parse::<Shape>(), Err(Unreadable(nonsense.into())), "{nonsense}");
        }
    }
}
