//! Answers that wait for their readers, bounded: for each connection, and for all of them together.
//!
//! An answer is handed to its connection in pieces, so that it stays here, and counted, until the
//! client has taken it; over HTTP/2 the library would else keep all of it for each stream. An
//! answer too many for its own connection is not sent. When all of them together are too many, the
//! address that most waits for loses the connection of its oldest answer: who reads slowly is in
//! nobody's way but their own.

use super::{
    connection_activity::{ConnectionActivity, UnderWay},
    request::Rejection,
};
use crate::graph::error::code;
use axum::{body::Body, http::StatusCode};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    task::{Context, Poll, ready},
    time::Duration,
};

/// What is handed to a connection at once.
const PIECE: usize = 256 << 10;
/// Over HTTP/1, where there is one answer at a time, shorter ones are not worth counting.
const SHORT: usize = 4 << 10;

/// Every answer that waits to be read.
#[derive(Debug)]
pub(super) struct Unread {
    most: usize,
    most_of_connection: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: usize,
    count: u64,
    by_address: HashMap<IpAddr, OfAddress>,
}

#[derive(Debug, Default)]
struct OfAddress {
    bytes: usize,
    /// The oldest first.
    answers: BTreeMap<u64, (usize, Arc<ConnectionActivity>)>,
}

/// An answer is counted until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    unread: Arc<Unread>,
    activity: Arc<ConnectionActivity>,
    number: u64,
    bytes: usize,
}

impl Unread {
    pub fn new(most: usize, most_of_connection: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_of_connection,
            waiting: Mutex::default(),
        })
    }

    /// Counts an answer; None where too much waits on its connection. One alone is never too much.
    pub fn hold(
        self: &Arc<Self>,
        activity: &Arc<ConnectionActivity>,
        bytes: usize,
    ) -> Option<Held> {
        let before = activity.unread.fetch_add(bytes, Ordering::Relaxed);
        if before > 0 && before + bytes > self.most_of_connection {
            activity.unread.fetch_sub(bytes, Ordering::Relaxed);
            return None;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.count += 1;
        let number = waiting.count;
        waiting.add(activity, number, bytes);
        while waiting.bytes > self.most && waiting.let_go() {}
        drop(waiting);
        Some(Held {
            unread: self.clone(),
            activity: activity.clone(),
            number,
            bytes,
        })
    }
}

impl Waiting {
    fn add(&mut self, activity: &Arc<ConnectionActivity>, number: u64, bytes: usize) {
        self.bytes += bytes;
        let of_address = self.by_address.entry(activity.address).or_default();
        of_address.bytes += bytes;
        of_address.answers.insert(number, (bytes, activity.clone()));
    }

    fn remove(&mut self, address: IpAddr, number: u64) {
        let Some(of_address) = self.by_address.get_mut(&address) else {
            return;
        };
        if let Some((bytes, _)) = of_address.answers.remove(&number) {
            of_address.bytes -= bytes;
            self.bytes -= bytes;
        }
        if of_address.answers.is_empty() {
            self.by_address.remove(&address);
        }
    }

    /// Ends the connection of the oldest answer of the address that most waits for; false where
    /// there is none but one.
    fn let_go(&mut self) -> bool {
        let Some((&address, of_address)) = self
            .by_address
            .iter()
            .max_by_key(|(_, of_address)| of_address.bytes)
        else {
            return false;
        };
        let oldest = of_address
            .answers
            .first_key_value()
            .map(|(number, (_, activity))| (*number, activity.clone()));
        let Some((number, activity)) =
            oldest.filter(|_| self.by_address.len() > 1 || of_address.answers.len() > 1)
        else {
            return false;
        };
        activity.cut();
        self.remove(address, number);
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.activity
            .unread
            .fetch_sub(self.bytes, Ordering::Relaxed);
        let mut waiting = self
            .unread
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        waiting.remove(self.activity.address, self.number);
    }
}

/// An answer's body, on its way to the client.
struct Leaving {
    body: Body,
    /// Of the part that was taken out of `body` last.
    rest: Bytes,
    under_way: Arc<UnderWay>,
    _held: Option<Held>,
}

/// What is said in place of an answer for which there is no room.
pub(super) fn too_much() -> Rejection {
    let message =
        "Too many answers wait to be read on this connection (limits.unread_bytes_per_connection).";
    Rejection::later(
        StatusCode::SERVICE_UNAVAILABLE,
        code::OVERLOADED,
        message,
        Duration::from_secs(1),
    )
}

/// Hands an answer's body over in pieces. None where too much waits on its connection.
pub(super) fn leaving(body: Body, unread: &Arc<Unread>, under_way: Arc<UnderWay>) -> Option<Body> {
    let bytes = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let activity = under_way.activity();
    let is_counted = bytes > SHORT || (bytes > 0 && activity.is_multiplexed());
    let held = if is_counted {
        Some(unread.hold(activity, bytes)?)
    } else {
        None
    };
    under_way.is_answered();
    Some(Body::new(Leaving {
        body,
        rest: Bytes::new(),
        under_way,
        _held: held,
    }))
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return Poll::Ready(other),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        this.under_way.activity().took(piece.len());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (of_body, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower() + rest);
        if let Some(upper) = of_body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn connection(host: u8) -> Arc<ConnectionActivity> {
        Arc::new(ConnectionActivity::of(
            Ipv4Addr::new(192, 0, 2, host).into(),
            None,
        ))
    }

    #[test]
    fn the_address_that_most_waits_for_loses_its_oldest_and_nobody_else_loses_any() {
        let unread = Unread::new(100, 60);
        let (modest, first, second) = (connection(1), connection(2), connection(2));
        let _modest = unread.hold(&modest, 20).unwrap();
        let kept = unread.hold(&first, 50).unwrap();
        assert!(
            unread.hold(&first, 20).is_none(),
            "too much for one connection"
        );
        let _last = unread.hold(&second, 40).unwrap();
        assert_eq!(
            [&modest, &first, &second].map(|activity| activity.is_cut()),
            [false, true, false]
        );
        drop(kept);
        assert_eq!(unread.waiting.lock().unwrap().bytes, 60);
        assert!(
            unread.hold(&connection(3), 1_000).is_some(),
            "one alone is never too much"
        );
    }

    #[tokio::test]
    async fn a_body_is_the_same_in_pieces_and_is_under_way_until_the_last_of_them() {
        let (unread, activity) = (Unread::new(1 << 20, 1 << 20), connection(1));
        let sent = Bytes::from(
            (0..100_000_u32)
                .map(|number| number as u8)
                .collect::<Vec<_>>(),
        );
        let mut body =
            leaving(sent.clone().into(), &unread, Arc::new(activity.begin(true))).unwrap();
        assert_eq!(body.size_hint().exact(), Some(100_000));
        let mut got = Vec::new();
        while let Some(frame) =
            std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
        {
            assert_eq!(activity.unread.load(Ordering::Relaxed), 100_000);
            got.push(frame.unwrap().into_data().unwrap());
        }
        assert!(got.iter().all(|piece| piece.len() <= PIECE) && body.is_end_stream());
        assert_eq!(got.concat(), sent);
        drop(body);
        assert_eq!(activity.unread.load(Ordering::Relaxed), 0);
    }
}
