//! Answers that come later, in part, or not to their end.

use super::{ALL_JOBS, job, names};
use crate::{
    mock::{Broken, JOBS, Mock, Reply, fixture, log_of},
    world::codes,
};
use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

const ACTION: &str = "/api/v3/asyncActions/97431954-0000-4000-8000-d0cb0fbccaf7";

/// A console that queues its list of jobs, and is through with it after some looks.
async fn queued(location: &str, word: &'static str, looks: usize) -> (Mock, Arc<AtomicUsize>) {
    let mock = Mock::empty().await;
    let head = String::from_utf8(fixture("08-queued.202.txt")).unwrap();
    let body = head
        .split_once("\r\n\r\n")
        .or_else(|| head.split_once("\n\n"))
        .unwrap()
        .1
        .to_owned();
    mock.on(
        JOBS,
        Reply::json(body).status(202).header("location", location),
    );
    let asked = Arc::new(AtomicUsize::new(0));
    let (of_action, of_result) = (asked.clone(), asked.clone());
    let is_over = move |asked: &AtomicUsize| asked.load(Ordering::SeqCst) > looks;
    mock.each(ACTION, move |_| {
        of_action.fetch_add(1, Ordering::SeqCst);
        let body = String::from_utf8(fixture("08-queued.asyncAction.json")).unwrap();
        Reply::json(if is_over(&of_action) {
            body.replace("\"running\"", &format!("\"{word}\""))
        } else {
            body
        })
    });
    mock.each(&format!("{ACTION}/result"), move |_| {
        if is_over(&of_result) {
            Reply::json(fixture("08-queued.result.json"))
        } else {
            Reply::json(r#"{"errors":[{"message":"Not found","type":"logical","code":404}]}"#)
                .status(404)
        }
    });
    (mock, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_is_queued_is_followed_to_its_result() {
    // nobody listens there: the path counts, never the host
    for (name, location) in [
        ("queued", ACTION.to_owned()),
        ("queued-elsewhere", format!("http://127.0.0.1:9{ACTION}")),
    ] {
        let (mock, looks) = queued(&location, "succeed", 2).await;
        let world = mock.world(name).await;
        let data = world.data(ALL_JOBS).await;
        assert_eq!(
            (&data["jobs"]["complete"], &data["jobs"]["totalCount"]),
            (&json!(true), &json!(2))
        );
        assert_eq!(looks.load(Ordering::SeqCst), 3);
        let requests = mock.requests();
        assert!(
            requests.iter().all(|request| request.starts_with("GET ")),
            "{requests:?}"
        );
        assert_eq!(
            requests
                .iter()
                .filter(|request| request.contains("/backupServers/jobs?"))
                .count(),
            1,
            "{requests:?}"
        );
        assert_eq!(requests.len(), 1 + 3 + 1, "{requests:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_read_that_ends_badly_is_an_error_at_once() {
    for word in ["failed", "canceled"] {
        let (mock, looks) = queued(ACTION, word, 0).await;
        let world = mock.world(&format!("queued-{word}")).await;
        assert_eq!(codes(&world.ask(ALL_JOBS).await), ["UPSTREAM_UNAVAILABLE"]);
        assert_eq!((looks.load(Ordering::SeqCst), mock.reads().len()), (1, 2));
        let log = log_of(&format!("queued-{word}"));
        assert!(
            log.len() == 1 && log[0].contains(JOBS) && log[0].contains(word),
            "{log:#?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_read_that_never_ends_takes_no_longer_than_the_deadline() {
    let (mock, _) = queued(ACTION, "succeed", usize::MAX - 1).await;
    let mut upstreams = mock.upstreams("queued-forever");
    upstreams[0].timeout = std::time::Duration::from_secs(2);
    assert_eq!(
        codes(&mock.world_of(upstreams).await.ask(ALL_JOBS).await),
        ["UPSTREAM_TIMEOUT"]
    );
    let requests = mock.reads();
    assert_eq!(
        requests
            .iter()
            .filter(|request| request.contains("/backupServers/jobs?"))
            .count(),
        1,
        "{requests:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_is_read_again() {
    let whole = json!({"meta": {"pagingInfo": {"total": 2, "count": 2, "offset": 0}}, "data": [job(1), job(2)]}).to_string().into_bytes();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&whole).unwrap();
    let packed = packed.finish().unwrap();
    let half = whole[..whole.len() / 2].to_vec();
    let in_gzip = |bytes: &[u8]| Reply::json(bytes.to_vec()).header("content-encoding", "gzip");
    for (name, broken) in [
        (
            "broken-length",
            Reply::json(half.clone()).broken(Broken::Length),
        ),
        (
            "broken-chunks",
            Reply::json(half.clone()).broken(Broken::Chunks),
        ),
        ("broken-gzip", in_gzip(&packed[..packed.len() / 2])),
        ("broken-gzip-end", in_gzip(&packed[..packed.len() - 6])),
    ] {
        let mock = Mock::empty().await;
        mock.on(JOBS, in_gzip(&packed));
        mock.first(1, JOBS, broken.clone());
        let answer = mock.world(name).await.ask(ALL_JOBS).await;
        assert_eq!(
            (
                names(&answer).len(),
                answer["data"]["jobs"]["complete"].clone()
            ),
            (2, json!(true)),
            "{name}: {answer}"
        );
        let requests = mock.reads();
        assert_eq!(
            requests.len(),
            2,
            "{name}: {requests:#?} {:#?}",
            log_of(name)
        );
        // and one that always does is no shorter list
        mock.on(JOBS, broken);
        let answer = mock
            .world(&format!("{name}-always"))
            .await
            .ask(ALL_JOBS)
            .await;
        assert_eq!(
            (names(&answer).len(), codes(&answer)),
            (0, vec!["UPSTREAM_UNAVAILABLE"]),
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn part_of_an_answer_is_not_taken_for_the_whole() {
    let mock = Mock::empty().await;
    mock.on(
        JOBS,
        Reply::page(&[job(1)], 1, 0)
            .status(206)
            .header("content-range", "bytes 0-99/200"),
    );
    let answer = mock.world("part").await.ask(ALL_JOBS).await;
    assert_eq!(
        (names(&answer).len(), codes(&answer)),
        (0, vec!["UPSTREAM_INVALID"])
    );
    assert!(log_of("part").iter().any(|line| line.contains("206")));
}
