//! Where phones are woken that sleep.

use sidetone_wire::account::{Code, Refusal, Reply};
use sidetone_wire::id::UserId;
use sidetone_wire::limits::WAKE_EVERY_MS;
use sidetone_wire::push::{Push, PushAddress, PushKey};

use super::requests::done;
use super::{Bus, Desk, Now, Party, Rate, Store, refuse};
use crate::keys;
use crate::push::{Wake, endpoint};

/// Whether there could be somebody at an address.
fn is_sound(address: &PushAddress) -> bool {
    let reads = match address {
        PushAddress::Web(web) => endpoint(&web.endpoint).is_some(),
        PushAddress::Apple(_) | PushAddress::Firebase(_) => true,
    };
    reads && address.is_well_formed()
}

impl<B: Bus, S: Store> Desk<B, S> {
    /// Phones to be woken since the last call.
    pub fn wakes(&mut self) -> Vec<Wake> {
        std::mem::take(&mut self.wakes)
    }

    /// A push service does not know a phone any more: it is not asked again, unless it was told of anew meanwhile.
    pub async fn forget_push(&mut self, wake: &Wake) {
        let kept = self.store.push(wake.user).await.ok().flatten();
        if kept.and_then(|sealed| self.keys.open_push(&sealed)).as_ref() == Some(&wake.address) {
            // If it is not forgotten now it is when it is asked again.
            let _ = self.store.forget_push(wake.user).await;
        }
    }

    pub(super) fn push_key(&self) -> Result<Reply, Refusal> {
        match &self.config.push_key {
            Some(key) => Ok(Reply::PushKey(PushKey { key: key.clone().into() })),
            None => refuse(Code::UnknownKind),
        }
    }

    pub(super) async fn set_push(&mut self, party: Party, push: Push) -> Result<Reply, Refusal> {
        let sealed = match push.address {
            None => Vec::new(),
            Some(_) if self.config.push_key.is_none() => return refuse(Code::UnknownKind),
            Some(address) if !is_sound(&address) => return refuse(Code::Malformed),
            Some(address) => match self.keys.seal_push(&address, &mut self.draws) {
                Some(sealed) => sealed,
                None => return refuse(Code::TooLarge),
            },
        };
        self.store.set_push(party.user, party.device, &sealed).await?;
        Ok(done())
    }

    /// Has a phone woken; whether it is on its way. Who calls again and again wakes it no more often than once in a while.
    pub(super) async fn rouse(&mut self, now: Now, user: UserId) -> Result<bool, Refusal> {
        if self.config.push_key.is_none() {
            return Ok(false);
        }
        let Some(sealed) = self.store.push(user).await? else { return Ok(false) };
        let Some(address) = self.keys.open_push(&sealed) else { return Ok(false) };
        let tag = keys::tag(&self.bus.day_key(now).await?, "wake", user.as_bytes());
        if self.spend(now, tag, Rate { burst: 1, every_ms: WAKE_EVERY_MS }).await.is_ok() {
            self.wakes.push(Wake { user, address });
        }
        Ok(true)
    }
}
