//! Strangers: who may search, what it costs, what is carried between two.

use sidetone_wire::account::{Code, Refusal, Reply, Request};
use sidetone_wire::envelope::is_padded;
use sidetone_wire::id::{MatchId, SessionId};
use sidetone_wire::limits::{ENVELOPE_BYTES, INTERESTS, SHOWN_BYTES, SHOWN_TEXTS};
use sidetone_wire::room::RelayRule;
use sidetone_wire::stranger::{Challenge, Leave, Lobby, Media, Part, Reason, Report, Seek, StrangerEnvelope};

use super::requests::done;
use super::{Bus, Desk, Now, SocketId, Store, refusal, refuse};
use crate::bus::{BusError, Pool, Seeking, Tag};
use crate::keys;
use crate::radar::Radar;
use crate::turn::RelayTag;

/// How long the seed of a challenge stays the same; it is good for as long again.
const CHALLENGE_MS: u64 = 60_000;

/// Whether a request is about strangers: these are for everybody.
pub(super) fn is_for_everybody(request: &Request) -> bool {
    matches!(request.kind(), 40..=47 | 50)
}

impl<B: Bus, S: Store> Desk<B, S> {
    pub(super) async fn answer_to_stranger(
        &mut self,
        now: Now,
        socket: SocketId,
        session: SessionId,
        request: Request,
    ) -> Result<Reply, Refusal> {
        match request {
            Request::Seek(seek) => return self.seek(now, socket, session, seek).await,
            Request::Unseek(ticket) => self.bus.unseek(session, ticket).await?,
            Request::Consent(wanted) => self.bus.consent(now, session, wanted.id).await??,
            Request::Part(part) => self.part(now, session, part).await?,
            Request::RouteStranger(envelope) => self.route_to_stranger(session, envelope).await?,
            Request::StrangerRelays(of) => return self.stranger_relays(now, session, of.id).await,
            Request::Again(parted) => self.bus.again(now, session, parted.id).await??,
            Request::Report(report) => self.report(now, report).await?,
            Request::Lobby(_) => return Ok(Reply::Lobby(Lobby { active: self.bus.active().await? })),
            _ => return refuse(Code::UnknownKind),
        }
        Ok(done())
    }

    async fn seek(&mut self, now: Now, socket: SocketId, session: SessionId, seek: Seek) -> Result<Reply, Refusal> {
        let Seek { ticket, media, interests, adult, proof, frank } = seek;
        if media == Media::Unknown || interests.len() > INTERESTS {
            return refuse(Code::Malformed);
        }
        if self.config.adults_only && !adult {
            return refuse(Code::AdultsOnly);
        }
        let from = self.sockets.get(&socket).map_or(Tag::default(), |conn| conn.from);
        let suspicion = self.bus.suspicion(now, session, from).await?;
        if suspicion.barred_ms > 0 {
            return Err(refusal(Code::Barred, suspicion.barred_ms));
        }
        if suspicion.bits > 0 {
            let [seed, before] = self.seeds(now, session).await?;
            let proven = |seed: &Tag, number: u64| {
                let work = [&seed[..], &ticket.0, &number.to_be_bytes()].concat();
                keys::has_zeros(&work, suspicion.bits)
            };
            match proof {
                None => return Ok(Reply::Prove(Challenge { seed: seed.to_vec().into(), bits: suspicion.bits })),
                Some(number) if proven(&seed, number) || proven(&before, number) => {}
                Some(_) => return refuse(Code::WrongProof),
            }
        }
        let pool = Pool { media, adult, shadow: suspicion.shadow };
        self.bus.seek(now, session, Seeking { ticket, pool, interests, from, frank }).await??;
        self.figures.searches += 1;
        Ok(done())
    }

    /// The seeds of this minute and of the one before. Nothing is kept about a challenge.
    async fn seeds(&mut self, now: Now, session: SessionId) -> Result<[Tag; 2], BusError> {
        let key = self.bus.day_key(now).await?;
        let minute = now.ticks_ms / CHALLENGE_MS;
        let seed = |minute: u64| keys::tag(&key, "challenge", &[&session.0[..], &minute.to_be_bytes()].concat());
        Ok([seed(minute), seed(minute.wrapping_sub(1))])
    }

    async fn part(&mut self, now: Now, session: SessionId, part: Part) -> Result<(), Refusal> {
        if part.how == Leave::Unknown {
            return refuse(Code::Malformed);
        }
        let name = self.bus.stranger(session, part.id).await?.ok();
        self.bus.part(now, session, part.id, part.how).await??;
        self.revoked.extend(name.map(|name| RelayTag::of_room(RelayRule::Allowed, name.room)));
        Ok(())
    }

    async fn route_to_stranger(&mut self, session: SessionId, envelope: StrangerEnvelope) -> Result<(), Refusal> {
        let len = envelope.bytes.len();
        if len > ENVELOPE_BYTES {
            return refuse(Code::TooLarge);
        }
        if !is_padded(&envelope.bytes) {
            return refuse(Code::Malformed);
        }
        self.bus.hand_stranger(session, envelope).await??;
        self.figures.routed_to_stranger(len);
        Ok(())
    }

    async fn stranger_relays(&mut self, now: Now, session: SessionId, id: MatchId) -> Result<Reply, Refusal> {
        let name = self.bus.stranger(session, id).await??;
        let tag = RelayTag::of(RelayRule::Allowed, name);
        Ok(Reply::Relays(self.credentials(now, tag.as_str())))
    }

    async fn report(&mut self, now: Now, report: Report) -> Result<(), Refusal> {
        let bytes: usize = report.shown.iter().map(|shown| shown.text.as_str().len()).sum();
        if report.reason == Reason::Unknown || report.shown.len() > SHOWN_TEXTS || bytes > SHOWN_BYTES {
            return refuse(Code::Malformed);
        }
        self.bus.report(now, &report.token, report.reason, &report.shown).await??;
        Ok(())
    }

    /// Counts of strangers; empty if the bus does not answer.
    pub async fn radar(&mut self, now: Now) -> Radar {
        self.bus.radar(now).await.unwrap_or_default()
    }
}
