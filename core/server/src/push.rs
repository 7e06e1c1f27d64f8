//! Waking phones that sleep, by whichever push service knows them. What is sent says nothing: that it comes is all.
//!
//! Each service is a [`Doorbell`], which decides what is asked of it; one task asks. An endpoint is an address that a phone
//! chose: it is asked over https only, only where hosts of the internet are, and redirects are not followed.

use std::sync::Arc;

use sidetone_wire::id::UserId;
use sidetone_wire::push::PushAddress;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use url::Url;

use crate::Now;
use crate::config::{PushConfig, StartError};
use crate::serve::Clock;

mod apple;
mod firebase;
mod jwt;
mod post;
#[cfg(test)]
mod tests;
mod web;

use apple::Apple;
use firebase::Firebase;
pub(crate) use jwt::Es256;
use post::Post;
use web::Web;
pub(crate) use web::endpoint;

/// For how long a push service keeps a call for a phone that it does not reach: as long as it rings.
const KEEP_S: u32 = 45;
/// Phones that wait to be woken; who comes beyond is not.
pub(crate) const WAITING: usize = 256;
/// Calls under way at once; who comes then waits.
const AT_ONCE: usize = 16;

/// What is asked of a push service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    url: Url,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Whether it is asked over HTTP/2.
    http2: bool,
}

/// There is no call that could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoCall;

/// A push service: what is asked of it, and nothing else. It opens no connection.
pub(crate) trait Doorbell<To> {
    /// What has to be asked before, if anything.
    fn prepare(&mut self, _now: Now) -> Result<Option<Call>, NoCall> {
        Ok(None)
    }

    /// What was answered to that.
    fn prepared(&mut self, _now: Now, _answer: &[u8]) -> Result<(), NoCall> {
        Ok(())
    }

    /// It was not, or not well.
    fn unprepared(&mut self, _now: Now) {}

    /// What wakes a phone.
    fn call(&mut self, now: Now, to: &To) -> Result<Call, NoCall>;
}

/// A phone to be woken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wake {
    /// Whose it is.
    pub user: UserId,
    /// Where.
    pub address: PushAddress,
}

/// Every push service that is set up.
pub(crate) struct Bells {
    clock: Clock,
    post: Arc<Post>,
    web: Web,
    apple: Option<Apple>,
    firebase: Option<Firebase>,
}

impl Bells {
    pub(crate) fn new(config: &PushConfig, key: Es256, clock: Clock) -> Result<Self, StartError> {
        if !["mailto:", "https:"].iter().any(|scheme| config.contact.starts_with(scheme)) {
            return Err(StartError::Push);
        }
        let post = Post::new(&config.roots, config.test_hosts.clone()).ok_or(StartError::Push)?;
        let apple = match &config.apple {
            Some(account) => Some(Apple::new(apple::Account::read(account).ok_or(StartError::Push)?)),
            None => None,
        };
        let firebase = match &config.firebase {
            Some(google) => Some(Firebase::new(firebase::Account::read(google).ok_or(StartError::Push)?)),
            None => None,
        };
        Ok(Self { clock, post: Arc::new(post), web: Web::new(key, config.contact.clone()), apple, firebase })
    }

    /// By what push services know us.
    pub(crate) fn key(&self) -> Vec<u8> {
        self.web.key()
    }

    /// Wakes who is to be woken, and says of whom a service knows nothing any more.
    pub(crate) async fn run(mut self, mut wakes: mpsc::Receiver<Wake>, gone: impl Fn(Wake) + Clone + Send + 'static) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut calls = JoinSet::new();
        while let Some(wake) = wakes.recv().await {
            while calls.try_join_next().is_some() {}
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            // A service that is not set up, or does not know us, wakes nobody; others go on.
            let Ok(call) = self.call(&wake.address).await else { continue };
            let (post, gone) = (Arc::clone(&self.post), gone.clone());
            calls.spawn(async move {
                match post.ask(call).await {
                    Ok(answer) if matches!(answer.status, 404 | 410) => gone(wake),
                    Ok(answer) if (200..300).contains(&answer.status) => {}
                    Ok(answer) => tracing::warn!(code = answer.status, "a push service refused a wake-up"),
                    Err(error) => tracing::warn!(kind = ?error.kind(), "a push service was not reached"),
                }
                drop(place);
            });
        }
    }

    async fn call(&mut self, to: &PushAddress) -> Result<Call, NoCall> {
        match to {
            PushAddress::Web(to) => ring(&mut self.web, &self.post, self.clock, to).await,
            PushAddress::Apple(to) => ring(self.apple.as_mut().ok_or(NoCall)?, &self.post, self.clock, to).await,
            PushAddress::Firebase(to) => ring(self.firebase.as_mut().ok_or(NoCall)?, &self.post, self.clock, to).await,
        }
    }
}

async fn ring<To>(bell: &mut impl Doorbell<To>, post: &Post, clock: Clock, to: &To) -> Result<Call, NoCall> {
    if let Some(before) = bell.prepare(clock.now())? {
        let answer = post.ask(before).await.ok().filter(|answer| answer.status == 200).ok_or(NoCall);
        if let Err(none) = answer.and_then(|answer| bell.prepared(clock.now(), &answer.body)) {
            bell.unprepared(clock.now());
            return Err(none);
        }
    }
    bell.call(clock.now(), to)
}
