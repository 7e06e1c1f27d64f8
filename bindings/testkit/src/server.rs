//! The real meeting server, in the process of the test.

use std::sync::{Arc, Mutex, PoisonError};

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
    /// Taken by whoever stops it.
    running: Mutex<Option<(Runtime, Running)>>,
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
        let running = runtime.block_on(Server::start(config)).map_err(TestProblem::new)?;
        Ok(Arc::new(Self { url: format!("ws://{}", running.addr), running: Mutex::new(Some((runtime, running))) }))
    }

    /// What a client is opened with.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Stops it; again is harmless. Phones notice.
    pub fn stop(&self) {
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
