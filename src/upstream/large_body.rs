//! What all large bodies may hold at once, over all upstreams.
//!
//! A page of a list has some 2 MB. A list that comes unpaged, or a compressed bomb, has more: of
//! these only a few are in memory at a time, and who comes later waits, within its deadline. So all
//! bodies together hold no more than the slots of all upstreams times [`LARGE`], and [`AT_ONCE`]
//! times the largest.

use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Larger than any page seen.
const LARGE: usize = 4 << 20;
/// Large bodies in memory at once.
const AT_ONCE: usize = 4;

static LARGE_BODIES: Semaphore = Semaphore::const_new(AT_ONCE);

/// The place of one large body, once it is one.
#[derive(Default)]
pub(super) struct LargeBody(Option<SemaphorePermit<'static>>);

impl LargeBody {
    /// Waits for a place where the body becomes large.
    pub async fn grows_to(&mut self, bytes: usize) {
        if bytes > LARGE && self.0.is_none() {
            // it is never closed
            self.0 = LARGE_BODIES.acquire().await.ok();
        }
    }

    /// The body; the place is free again when nobody has it any more.
    pub fn held_with(self, body: Bytes) -> Bytes {
        match self.0 {
            Some(place) => Bytes::from_owner(Held {
                body,
                _place: place,
            }),
            None => body,
        }
    }
}

struct Held {
    body: Bytes,
    _place: SemaphorePermit<'static>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn large_bodies_wait_for_a_place_and_small_ones_do_not() {
        let large = |place: &mut LargeBody| place.grows_to(LARGE + 1).now_or_never().is_some();
        let mut bodies = Vec::new();
        for _ in 0..AT_ONCE {
            let mut place = LargeBody::default();
            assert!(large(&mut place));
            assert!(large(&mut place), "one place is enough however it grows");
            bodies.push(place.held_with(Bytes::from_static(b"large")));
        }
        let mut small = LargeBody::default();
        assert!(small.grows_to(LARGE).now_or_never().is_some());
        let mut waiting = LargeBody::default();
        assert!(!large(&mut waiting));
        let part = bodies[0].slice(1..);
        bodies.remove(0);
        assert!(!large(&mut waiting), "somebody has a part of it");
        assert_eq!(part, "arge");
        drop(part);
        assert!(large(&mut waiting));
    }
}
