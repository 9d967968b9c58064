//! Work that would keep others waiting, done aside: pages read into rows, lists filed, long answers
//! packed; or in turns.

/// JSON of this many bytes is read about as fast as it is handed over to another thread.
pub const LONG: usize = 32 << 10;

/// What `work` gives, done off the threads that requests are answered on. A panic goes on where the
/// value was wanted.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(failed) => std::panic::resume_unwind(
            failed
                .try_into_panic()
                .unwrap_or_else(|stopped| Box::new(stopped)),
        ),
    }
}

/// The same for work on so many bytes, if these are many; else it is done at once.
pub async fn run_if_large<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if bytes >= LONG {
        run(work).await
    } else {
        work()
    }
}

/// Rows between which others get their turn, where each costs a few comparisons.
const IN_ONE_TURN: usize = 256;

/// Waits for the next turn, now and then: to be asked before each row of a list, with its place
/// there.
pub async fn in_turns(place: usize) {
    if place % IN_ONE_TURN == IN_ONE_TURN - 1 {
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::{cell::Cell, panic::AssertUnwindSafe, thread};

    #[tokio::test]
    async fn what_is_long_keeps_nobody_waiting() {
        let here = thread::current().id();
        assert_eq!(
            run_if_large(LONG - 1, || thread::current().id()).await,
            here
        );
        assert_ne!(run_if_large(LONG, || thread::current().id()).await, here);
    }

    #[tokio::test]
    async fn a_panic_comes_back() {
        let work = run(|| std::panic::resume_unwind(Box::new("of this somebody hears")));
        let panic = AssertUnwindSafe(work).catch_unwind().await.unwrap_err();
        assert_eq!(*panic.downcast::<&str>().unwrap(), "of this somebody hears");
    }

    #[tokio::test]
    async fn others_get_their_turn_however_many_rows_there_are() {
        let seen = Cell::new(0);
        let mut rows = Box::pin(async {
            for place in 0..10_000 {
                in_turns(place).await;
                seen.set(place + 1);
            }
        });
        let mut most = 0;
        loop {
            let before = seen.get();
            let is_done = rows.as_mut().now_or_never().is_some();
            most = most.max(seen.get() - before);
            if is_done {
                break;
            }
        }
        assert_eq!((seen.get(), most), (10_000, IN_ONE_TURN));
    }
}
