//! What an account may ask about itself: relay credentials, everything that is kept, its own deletion.

use sidetone_wire::account::{Code, ExportPage, Page, Refusal, Relays, Reply, User};
use sidetone_wire::frame::Event;
use sidetone_wire::id::{SessionId, UserId};

use super::requests::done;
use super::{Bus, Desk, Now, Rate, RelayTerms, SocketId, Store, refuse};
use crate::bus::{Delivery, Tag};
use crate::keys;
use crate::name::Username;
use crate::turn::{RELAYS_MS, relay_password};

/// Bytes of JSON in one page, so that a page fits a frame.
const EXPORT_PAGE: usize = 24 * 1024;
/// How long the pages of one export are kept for the phone to read on.
const EXPORT_MS: u64 = 60_000;
/// Exports kept at once.
const EXPORTS: usize = 16;

/// An export that a phone reads page by page: all of one moment.
pub(super) struct Export {
    at_ms: u64,
    json: Vec<u8>,
}

impl Export {
    pub(super) fn is_fresh(&self, now: Now) -> bool {
        self.at_ms + EXPORT_MS > now.ticks_ms
    }
}

impl<B: Bus, S: Store> Desk<B, S> {
    pub(super) async fn relays(&mut self, now: Now, us: UserId) -> Result<Reply, Refusal> {
        // The relay learns a tag that is another one tomorrow, and no account.
        let tag = keys::tag(&self.bus.day_key(now).await?, "relay", us.as_bytes());
        Ok(Reply::Relays(self.credentials(now, &keys::hex(&tag))))
    }

    /// Where STUN is, and nothing of relays.
    pub(super) fn stun(&self) -> Relays {
        let all = self.config.relays.iter().flat_map(|relays| &relays.urls);
        let urls = all.filter(|url| url.starts_with("stun:")).cloned().collect();
        Relays { urls, username: String::new(), password: String::new(), valid_ms: RELAYS_MS }
    }

    /// Credentials under which the relay knows somebody as `tag`.
    pub(super) fn credentials(&self, now: Now, tag: &str) -> Relays {
        let Some(RelayTerms { urls, secret }) = &self.config.relays else {
            let (username, password) = (String::new(), String::new());
            return Relays { urls: Vec::new(), username, password, valid_ms: 0 };
        };
        let username = format!("{}:{tag}", (now.unix_ms + RELAYS_MS) / 1_000);
        let password = relay_password(secret, &username);
        Relays { urls: urls.clone(), username, password, valid_ms: RELAYS_MS }
    }

    pub(super) async fn export(
        &mut self,
        now: Now,
        session: SessionId,
        us: UserId,
        Page { page }: Page,
    ) -> Result<Reply, Refusal> {
        if page == 0 {
            if self.exports.len() >= EXPORTS && !self.exports.contains_key(&session) {
                return Err(super::refusal(Code::TooMany, EXPORT_MS));
            }
            let json = self.everything_about(us).await?;
            self.exports.insert(session, Export { at_ms: now.ticks_ms, json });
        }
        let Some(export) = self.exports.get(&session) else { return refuse(Code::Expired) };
        let mut pages = export.json.chunks(EXPORT_PAGE).skip(usize::try_from(page).unwrap_or(usize::MAX));
        let json = pages.next().unwrap_or_default().to_vec().into();
        Ok(Reply::Export(ExportPage { json, more: pages.next().is_some() }))
    }

    async fn everything_about(&mut self, us: UserId) -> Result<Vec<u8>, Refusal> {
        let mut rows = self.store.export(us).await?;
        for row in rows.get_mut("emails").and_then(|emails| emails.as_array_mut()).into_iter().flatten() {
            let sealed = row.get("sealed").and_then(|sealed| sealed.as_str()).and_then(keys::unhex);
            if let Some(address) = sealed.and_then(|sealed| self.keys.open_email(&sealed)) {
                row["address"] = address.into();
            }
        }
        Ok(serde_json::to_vec_pretty(&rows).unwrap_or_default())
    }

    pub(super) async fn delete(&mut self, now: Now, session: SessionId, us: UserId) -> Result<Reply, Refusal> {
        let Some(name) = self.store.person(us).await?.and_then(|known| Username::parse(&known.name)) else {
            return refuse(Code::Unauthorised);
        };
        self.close_kept(session, us).await?;
        let seen_by = self.store.delete(us, &self.keys.tombstone(&name), now.day()).await?;
        self.exports.remove(&session);
        self.tickets.remove(&session);
        self.bus.sign_out(session).await?;
        self.revoke(us, None, Code::Unauthorised).await?;
        for other in seen_by {
            self.tell(other, &Event::Gone(User { user: us })).await?;
        }
        Ok(done())
    }

    /// Takes a token of the address behind a socket.
    pub(super) async fn spend_at(&mut self, now: Now, socket: SocketId, what: &str, rate: Rate) -> Result<(), Refusal> {
        let from = self.sockets.get(&socket).map_or(Tag::default(), |conn| conn.from);
        let key = self.bus.day_key(now).await?;
        self.spend(now, keys::tag(&key, what, &from), rate).await
    }

    pub(super) async fn tell_session(&mut self, session: SessionId, event: &Event) -> Result<Delivery, Refusal> {
        let bytes = sidetone_wire::encode(event, sidetone_wire::limits::FRAME_BYTES)
            .map_err(|_| super::refusal(Code::TooLarge, 0))?;
        Ok(self.bus.deliver_to(session, &bytes).await?)
    }
}
