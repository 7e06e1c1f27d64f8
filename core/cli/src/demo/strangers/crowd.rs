//! A crowd of people and bots among strangers, each with an address of its own on this machine.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use sidetone::{Bind, Client, Config, Event, FixedKey, MatchId, StrangerView};
use tokio::time::timeout;

use crate::guest::entering;
use crate::trouble::Trouble;

/// People stay with somebody for so long, in milliseconds, one longer than the other.
const STAY_MS: std::ops::Range<u64> = 6_000..12_000;
/// Bots go on at once.
const BOT_STAYS: Duration = Duration::from_millis(100);
/// How often everybody looks around.
const LOOK: Duration = Duration::from_millis(200);

/// What the crowd came to.
pub(super) struct Crowd {
    pub matches: usize,
    pub wait_median_ms: f64,
    pub wait_max_ms: f64,
    pub self_matches: usize,
    pub repeat_matches: usize,
    pub bots_stopped: usize,
    pub humans_troubled: usize,
}

/// One of them.
#[derive(Default)]
struct Life {
    waits: Vec<Duration>,
    met: Vec<(MatchId, Instant)>,
    /// Was made to work, or refused.
    troubled: bool,
    barred: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Person,
    Bot,
}

/// Lets so many meet for so long.
pub(super) async fn meet(url: &str, people: usize, bots: usize, long: Duration) -> Result<Crowd, Trouble> {
    let until = Instant::now() + long;
    let mut lives = Vec::new();
    for number in 0..people + bots {
        let kind = if number < people { Kind::Person } else { Kind::Bot };
        let [.., high, low] = (number as u32 + 1).to_be_bytes();
        let net = if kind == Kind::Person { 60 } else { 70 };
        let mut config = Config::new(url, None, FixedKey::new([7; 32]));
        config.bind = Bind::Only(vec![Ipv4Addr::new(127, net, high, low).into()]);
        let client = Client::open(config).map_err(|error| Trouble::Open { data: "memory".into(), error })?;
        let stay = STAY_MS.start + number as u64 * 997 % (STAY_MS.end - STAY_MS.start);
        lives.push((kind, tokio::spawn(live(client, number, kind, Duration::from_millis(stay), until))));
    }
    let mut all = Vec::new();
    for (kind, life) in lives {
        all.push((kind, life.await.map_err(Trouble::system)?));
    }
    Ok(reckon(&all, until, long))
}

async fn live(client: Client, number: usize, kind: Kind, stay: Duration, until: Instant) -> Life {
    let mut life = Life::default();
    let (mut since, mut with) = (Instant::now(), None);
    let stay = if kind == Kind::Person { stay } else { BOT_STAYS };
    while !matches!(client.next_event().await, Some(Event::Connected(true)) | None) {}
    while Instant::now() < until && !life.barred {
        let Ok(view) = client.strangers().view().await else { break };
        match view {
            StrangerView::Lobby(_) => {
                since = Instant::now();
                match client.strangers().enter(entering(format!("guest {number}"))).await {
                    Err(sidetone::Error::TooMany { .. }) => (life.barred, life.troubled) = (true, true),
                    Err(_) => tokio::time::sleep(LOOK).await,
                    Ok(()) => {}
                }
            }
            StrangerView::Searching { working } => life.troubled |= working,
            StrangerView::Found { .. } => {}
            StrangerView::With(stranger) => {
                if with != Some(stranger.id) {
                    with = Some(stranger.id);
                    life.waits.push(since.elapsed());
                    life.met.push((stranger.id, Instant::now()));
                    since = Instant::now();
                }
                if since.elapsed() >= stay {
                    if client.strangers().skip().await.is_err() {
                        break;
                    }
                    since = Instant::now();
                } else if kind == Kind::Person && stranger.route.is_some() && stranger.messages == 0 {
                    // Who is gone meanwhile does not hear it.
                    let _ = client.strangers().say(stranger.id, "hello").await;
                }
            }
        }
        let _ = timeout(LOOK, client.next_event()).await;
    }
    client.close().await;
    life
}

fn reckon(lives: &[(Kind, Life)], until: Instant, long: Duration) -> Crowd {
    let mut by_match: BTreeMap<MatchId, Vec<usize>> = BTreeMap::new();
    for (number, (_, life)) in lives.iter().enumerate() {
        for (id, _) in &life.met {
            by_match.entry(*id).or_default().push(number);
        }
    }
    let mut pairs: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let mut self_matches = 0;
    for who in by_match.values() {
        match who[..] {
            [_] => {}
            [one, other] if one != other => *pairs.entry((one.min(other), one.max(other))).or_default() += 1,
            _ => self_matches += 1,
        }
    }
    let mut waits: Vec<f64> = lives
        .iter()
        .filter(|(kind, _)| *kind == Kind::Person)
        .flat_map(|(_, life)| life.waits.iter().map(|wait| wait.as_secs_f64() * 1e3))
        .collect();
    waits.sort_by(f64::total_cmp);
    let person = |number: usize| lives[number].0 == Kind::Person;
    // Refused, or for the last third with nobody but its like.
    let last = until.checked_sub(long / 3).unwrap_or(until);
    let stopped = |number: &usize| {
        let life = &lives[*number].1;
        let bothers =
            life.met.iter().filter(|(_, at)| *at >= last).any(|(id, _)| by_match[id].iter().any(|who| person(*who)));
        lives[*number].0 == Kind::Bot && (life.barred || !bothers)
    };
    Crowd {
        matches: by_match.len(),
        wait_median_ms: waits.get(waits.len() / 2).copied().unwrap_or(f64::INFINITY),
        wait_max_ms: waits.last().copied().unwrap_or(f64::INFINITY),
        self_matches,
        repeat_matches: pairs.values().filter(|count| **count > 1).count(),
        bots_stopped: (0..lives.len()).filter(stopped).count(),
        humans_troubled: lives.iter().filter(|(kind, life)| *kind == Kind::Person && life.troubled).count(),
    }
}
