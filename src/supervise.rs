//! Long-lived tasks that a panic does not end.

use futures_util::FutureExt;
use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The first pause after a panic; each panic that follows doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// What panics all the time does so once a minute.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

static PANICS: AtomicU64 = AtomicU64::new(0);

/// How many panics ended a long-lived task, which then went on.
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

/// Runs a long-lived task until it ends by itself. A panic in it is logged and counted, and it is
/// begun again.
pub async fn supervise<F: Future<Output = ()>>(task: &'static str, begin: impl Fn() -> F) {
    let mut pause = FIRST_PAUSE;
    while let Err(panic) = AssertUnwindSafe(async { begin().await })
        .catch_unwind()
        .await
    {
        PANICS.fetch_add(1, Ordering::Relaxed);
        let reason = text_of(panic.as_ref());
        tracing::error!(
            task,
            reason,
            pause_seconds = pause.as_secs(),
            "a task panicked: it goes on after a pause"
        );
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_begun_again_until_it_ends() {
        let (begun, before) = (AtomicU32::new(0), panics());
        supervise("test", || {
            let number = begun.fetch_add(1, Ordering::Relaxed);
            // in the making of the task, in its run, and then not at all
            assert!(number != 0, "at once");
            async move {
                tokio::task::yield_now().await;
                if number == 1 {
                    std::panic::panic_any("under way".to_owned());
                }
            }
        })
        .await;
        assert_eq!(begun.into_inner(), 3);
        assert!(panics() >= before + 2);
    }
}
