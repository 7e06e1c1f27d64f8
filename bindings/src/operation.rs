//! Something that takes its time: started at once, awaited by whoever wants to, cancelled by whoever must.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::count::Live;
use crate::error::{ErrorCode, SidetoneError};
use crate::id::{TransferId, UserId};
use crate::keep::ExportReport;

/// What came of an operation.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Outcome {
    /// It is done.
    Done,
    /// A person.
    Person {
        /// Who.
        user: UserId,
    },
    /// An export.
    Exported {
        /// What it holds.
        report: ExportReport,
    },
    /// A transfer.
    Transfer {
        /// Which.
        transfer: TransferId,
    },
    /// Text.
    Text {
        /// Whole.
        text: String,
    },
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Progress {
    /// It goes on.
    Running,
    /// It is done.
    Done,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

type Ending = Option<Result<Outcome, SidetoneError>>;

/// Something that takes its time. It goes on when nobody holds or awaits it; only `cancel` and closing the client end it.
#[derive(uniffi::Object)]
pub struct Operation {
    ending: watch::Receiver<Ending>,
    cancelled: watch::Sender<bool>,
    _live: Live,
}

impl Operation {
    pub(crate) fn begin<F>(work: F) -> Arc<Self>
    where
        F: Future<Output = Result<Outcome, SidetoneError>> + Send + 'static,
    {
        Self::run(Box::pin(work))
    }

    /// Behind one type, so that what runs operations is in the library once, and not once for each of them.
    fn run(work: Pin<Box<dyn Future<Output = Result<Outcome, SidetoneError>> + Send>>) -> Arc<Self> {
        let (tell, ending) = watch::channel(None);
        let (cancelled, mut wish) = watch::channel(false);
        let task = async move {
            let cancelled = async {
                // Nobody holds the operation any more: nobody can cancel it.
                if wish.wait_for(|cancelled| *cancelled).await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            let ending = tokio::select! {
                biased;
                () = cancelled => Err(SidetoneError::of(ErrorCode::Cancelled)),
                ending = work => ending,
            };
            tell.send_replace(Some(ending));
        };
        match runtime() {
            Some(runtime) => drop(runtime.spawn(task)),
            // The sender goes with the task, and waiting tells so.
            None => drop(task),
        }
        Arc::new(Self { ending, cancelled, _live: Live::begin() })
    }
}

#[uniffi::export]
impl Operation {
    /// Waits for the end. May be awaited by many, and again: the answer stays.
    pub async fn outcome(&self) -> Result<Outcome, SidetoneError> {
        let mut ending = self.ending.clone();
        let ending = ending.wait_for(Option::is_some).await;
        let lost = || SidetoneError::of(ErrorCode::System);
        ending.map_err(|_| lost())?.clone().ok_or_else(lost)?
    }

    /// Ends the wait at once. What the server was asked before may still have happened: read to know.
    pub fn cancel(&self) {
        self.cancelled.send_replace(true);
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        match &*self.ending.borrow() {
            None if self.ending.has_changed().is_err() => Progress::Failed,
            None => Progress::Running,
            Some(Ok(_)) => Progress::Done,
            Some(Err(error)) if error.code() == ErrorCode::Cancelled => Progress::Cancelled,
            Some(Err(_)) => Progress::Failed,
        }
    }
}

/// One thread for all operations of the process: they wait, they do not work.
pub(crate) fn runtime() -> Option<&'static Runtime> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    let build = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("sidetone-ops").enable_time().build().ok()
    };
    RUNTIME.get_or_init(build).as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cancelled_operation_ends_at_once_and_says_so_to_everybody() {
        let operation = Operation::begin(std::future::pending());
        assert_eq!(operation.progress(), Progress::Running);
        let (one, ()) = tokio::join!(operation.outcome(), async { operation.cancel() });
        assert_eq!(one.expect_err("cancelled").code(), ErrorCode::Cancelled);
        assert_eq!(operation.outcome().await.expect_err("still").code(), ErrorCode::Cancelled);
        assert_eq!(operation.progress(), Progress::Cancelled);
    }

    #[tokio::test]
    async fn what_was_done_stays_done() {
        let operation = Operation::begin(async { Ok(Outcome::Done) });
        assert_eq!(operation.outcome().await, Ok(Outcome::Done));
        operation.cancel();
        assert_eq!((operation.outcome().await, operation.progress()), (Ok(Outcome::Done), Progress::Done));
    }

    #[tokio::test]
    async fn letting_go_cancels_nothing() {
        let (done, told) = tokio::sync::oneshot::channel();
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        drop(Operation::begin(async move {
            let _ = gone.await;
            let _ = done.send(());
            Ok(Outcome::Done)
        }));
        go.send(()).expect("it goes on");
        told.await.expect("it came to its end");
    }

    #[tokio::test]
    async fn a_fault_inside_is_an_error_and_not_an_endless_wait() {
        let operation = Operation::begin(async { panic!("on purpose") });
        assert_eq!(operation.outcome().await.expect_err("a fault").code(), ErrorCode::System);
        assert_eq!(operation.progress(), Progress::Failed);
    }
}
