//! The real meeting server, in the process of the test.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use proving::push::PushService;
use sidetone_server::{Config, Limits, Rate, Running, Server};
use tokio::runtime::Runtime;

/// The test server cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum TestProblem {
    /// No port, no thread, or no such phone.
    #[error("{detail}")]
    Failed {
        /// In English.
        detail: String,
    },
}

impl TestProblem {
    pub(crate) fn new(detail: impl std::fmt::Display) -> Self {
        Self::Failed { detail: detail.to_string() }
    }
}

/// A meeting server on a free port of loopback, with STUN and TURN, that forgets everything when it stops.
#[derive(uniffi::Object)]
pub struct TestServer {
    url: String,
    push: PushService,
    /// Taken by whoever stops it.
    running: Mutex<Option<(Runtime, Running)>>,
    ice: Arc<Ice>,
}

/// Holds the server's only thread while it is frozen.
#[derive(Default)]
struct Ice {
    frozen: Mutex<bool>,
    melted: Condvar,
}

#[uniffi::export]
impl TestServer {
    /// Starts a server. It lets one machine register many accounts, which a server in the world does not.
    #[uniffi::constructor]
    pub fn start() -> Result<Arc<Self>, TestProblem> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(TestProblem::new)?;
        let often = Rate { burst: 10_000, every_ms: 1 };
        let mut config = Config::in_memory();
        config.limits = Limits { connects: often, registrations: often, logins: often, ..Limits::default() };
        let push = runtime.block_on(PushService::start());
        config.push = Some(push.config());
        let running = runtime.block_on(Server::start(config)).map_err(TestProblem::new)?;
        let (url, running) = (format!("ws://{}", running.addr), Mutex::new(Some((runtime, running))));
        Ok(Arc::new(Self { url, push, running, ice: Arc::default() }))
    }

    /// What a client is opened with.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Where a phone has itself woken by Web Push: a push service that belongs to this server and hands nothing on.
    pub fn push_endpoint(&self) -> String {
        self.push.endpoint()
    }

    /// Waits until the next phone would be woken; false once the server has stopped.
    pub async fn next_wake_up(&self) -> bool {
        self.push.next().await.is_some()
    }

    /// From now on it takes what phones say and answers nothing; again is harmless.
    pub fn freeze(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut frozen = self.ice.frozen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((runtime, _)) = running.as_ref().filter(|_| !*frozen) else { return };
        *frozen = true;
        let ice = Arc::clone(&self.ice);
        runtime.spawn(async move {
            let frozen = ice.frozen.lock().unwrap_or_else(PoisonError::into_inner);
            drop(ice.melted.wait_while(frozen, |frozen| *frozen));
        });
    }

    /// It answers again, also what it was asked meanwhile.
    pub fn thaw(&self) {
        *self.ice.frozen.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.ice.melted.notify_all();
    }

    /// Stops it; again is harmless. Phones notice.
    pub fn stop(&self) {
        self.thaw();
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((runtime, running)) = running {
            runtime.block_on(running.stop());
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop();
    }
}
