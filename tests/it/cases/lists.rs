//! Lists whose pages, totals or rows are not what they should be.

use super::{ALL_JOBS, job, names};
use crate::{
    mock::{JOBS, Mock, Reply, fixture, log_of},
    world::codes,
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

/// One line of the log that has all of these.
fn told(upstream: &str, words: &[&str]) {
    let log = log_of(upstream);
    assert!(
        log.iter()
            .any(|line| words.iter().all(|word| line.contains(word))),
        "{words:?} in {log:#?}"
    );
}

/// An answer that says that it is not the whole list, once.
fn is_incomplete(answer: &Value, code: &str) {
    assert_eq!(
        (
            &answer["data"]["jobs"]["complete"],
            &answer["data"]["jobs"]["totalCount"]
        ),
        (&json!(false), &Value::Null),
        "{answer}"
    );
    assert_eq!(codes(answer), [code]);
    assert_eq!(answer["errors"][0]["path"], json!(["jobs"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_odd_row_costs_itself_and_is_named() {
    let mock = Mock::empty().await;
    mock.on(JOBS, Reply::json(fixture("06-one-odd-row.vspc-jobs.json")));
    let world = mock.world("odd-row").await;
    let answer = world.ask(ALL_JOBS).await;
    let shown = names(&answer);
    assert!(
        shown.contains(&"Good 1") && shown.contains(&"Good 2"),
        "{answer}"
    );
    if shown.len() == 2 {
        is_incomplete(&answer, "UPSTREAM_INVALID");
        told(
            "odd-row",
            &[
                JOBS,
                "offset=0",
                "row 2",
                "member processingRate",
                "not a number",
            ],
        );
        assert_eq!(log_of("odd-row").len(), 1);
    }
    assert!(
        !answer.to_string().contains("NaN"),
        "the upstream's words reached a caller: {answer}"
    );
    assert_eq!(
        mock.reads().len(),
        1,
        "a row that can't be read is no reason to read again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_without_an_id_or_that_is_no_object_costs_itself() {
    for (name, odd) in [
        ("row-none", json!(null)),
        ("row-text", json!("x")),
        ("row-no-id", json!({"name": "Nobody"})),
    ] {
        let mock = Mock::empty().await;
        mock.on(JOBS, Reply::page(&[job(1), odd, job(3)], 3, 0));
        let answer = mock.world(name).await.ask(ALL_JOBS).await;
        assert_eq!(names(&answer), ["Job 00001", "Job 00003"]);
        is_incomplete(&answer, "UPSTREAM_INVALID");
        told(name, &[JOBS, "row 2"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn latin_1_in_a_name_is_read() {
    let mock = Mock::empty().await;
    mock.on(
        JOBS,
        Reply::json(fixture("06-latin1-in-a-name.vspc-jobs.json.bytes")),
    );
    let answer = mock.world("latin-1").await.ask(ALL_JOBS).await;
    assert_eq!(names(&answer).len(), 3, "{answer}");
    assert!(!answer.to_string().contains('\u{fffd}'));
}

#[tokio::test(flavor = "multi_thread")]
async fn skip_is_another_word_for_offset() {
    let mock = Mock::empty().await;
    mock.on(
        JOBS,
        Reply::json(fixture("04-skip-for-offset.vspc-jobs.json")),
    );
    let world = mock.world("skip").await;
    let data = world
        .data("{ jobs(orderBy: [{ field: NAME }]) { complete nodes { name lastRun } } }")
        .await;
    assert_eq!(data["jobs"]["complete"], true);
    assert_eq!(
        data["jobs"]["nodes"][0],
        json!({"name": "Agents 1", "lastRun": "2026-11-26T20:00:05.317Z"})
    );
    // and one that tells of another page than asked for is believed
    let body =
        json!({"meta": {"pagingInfo": {"total": 1, "count": 1, "skip": 500}}, "data": [job(1)]});
    mock.on(JOBS, Reply::json(body.to_string()));
    is_incomplete(
        &mock.world("skip-wrong").await.ask(ALL_JOBS).await,
        "UPSTREAM_INVALID",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_meta_is_no_whole_list() {
    for (name, meta) in [
        ("no-meta", json!(null)),
        ("no-paging", json!({})),
        ("no-total", json!({"pagingInfo": {"offset": 0}})),
    ] {
        for rows in [vec![], vec![job(1), job(2)]] {
            let mock = Mock::empty().await;
            mock.on(
                JOBS,
                Reply::json(json!({"meta": meta, "data": rows}).to_string()),
            );
            let answer = mock.world(name).await.ask(ALL_JOBS).await;
            assert_eq!(names(&answer).len(), rows.len());
            is_incomplete(&answer, "UPSTREAM_INVALID");
            told(name, &[JOBS, "pagingInfo"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_beside_a_smaller_total_are_no_whole_list() {
    for (name, rows, total) in [
        ("total-0", 3, 0),
        ("total-0-full", 500, 0),
        ("total-1", 3, 1),
    ] {
        let mock = Mock::empty().await;
        let rows: Vec<Value> = (0..rows).map(job).collect();
        mock.on(JOBS, Reply::page(&rows, total, 0));
        let answer = mock.world(name).await.ask(ALL_JOBS).await;
        assert_eq!(names(&answer).len(), rows.len());
        is_incomplete(&answer, "UPSTREAM_INVALID");
        told(name, &[JOBS, "total of"]);
    }
}

/// Pages in which row `offset` of each later page is the one before: the row that should be there
/// is on none.
fn shifted(rows: &[Value], asked: &crate::mock::Asked, lost: usize) -> Reply {
    let offset = asked.number("offset");
    let end = (offset + asked.number("limit")).min(rows.len());
    let mut page = rows[offset..end].to_vec();
    if (offset..end).contains(&lost) {
        page[lost - offset] = rows[499].clone();
    }
    Reply::page(&page, rows.len(), offset)
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_fall_between_pages_are_noticed() {
    let rows: Vec<Value> = (0..1_203).map(job).collect();
    // each reading loses another row: together they have them all
    let mock = Mock::empty().await;
    let (served, readings) = (rows.clone(), AtomicUsize::new(0));
    mock.each(JOBS, move |asked| {
        if asked.number("offset") == 0 {
            readings.fetch_add(1, Ordering::SeqCst);
        }
        shifted(&served, asked, 499 + readings.load(Ordering::SeqCst).min(2))
    });
    let data = mock.world("shifting").await.data(ALL_JOBS).await;
    assert_eq!(
        (&data["jobs"]["complete"], &data["jobs"]["totalCount"]),
        (&json!(true), &json!(1_203))
    );
    assert_eq!(mock.reads().len(), 6, "three pages, twice");

    // so many repeats both times, but others, and rows that neither reading has
    let mock = Mock::empty().await;
    let (served, readings) = (rows.clone(), AtomicUsize::new(0));
    mock.each(JOBS, move |asked| {
        let offset = asked.number("offset");
        let reading = if offset == 0 {
            readings.fetch_add(1, Ordering::SeqCst)
        } else {
            readings.load(Ordering::SeqCst).max(1) - 1
        };
        let mut page = served[offset..(offset + 500).min(served.len())].to_vec();
        if offset == 500 {
            (page[0], page[1]) = (served[499].clone(), served[498].clone());
            if reading > 0 {
                page.swap(0, 1);
            }
        }
        Reply::page(&page, served.len(), offset)
    });
    is_incomplete(
        &mock.world("shifting-always").await.ask(ALL_JOBS).await,
        "UPSTREAM_INVALID",
    );
    told(
        "shifting-always",
        &[JOBS, "changed while it was read, twice"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_stands_twice_in_every_reading_is_the_servers_own() {
    let mut rows: Vec<Value> = (0..1_203).map(job).collect();
    rows[700] = rows[3].clone();
    let mock = Mock::empty().await;
    mock.each(JOBS, move |asked| Reply::cut(&rows, asked));
    let data = mock.world("own-repeats").await.data(ALL_JOBS).await;
    assert_eq!(
        (&data["jobs"]["complete"], &data["jobs"]["totalCount"]),
        (&json!(true), &json!(1_202))
    );
    assert_eq!(mock.reads().len(), 6, "three pages, twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_that_change_in_both_readings_are_no_whole_list() {
    let rows: Vec<Value> = (0..1_000).map(job).collect();
    let mock = Mock::empty().await;
    mock.each(JOBS, move |asked| {
        let offset = asked.number("offset");
        Reply::page(&rows[offset..offset + 500], 1_000 + offset / 500, offset)
    });
    is_incomplete(
        &mock.world("totals").await.ask(ALL_JOBS).await,
        "UPSTREAM_INVALID",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_that_cannot_be_is_not_read_on_and_on() {
    for (name, total, page) in [
        ("million", 1_000_000, 3),
        ("million-full", 1_000_000, 500),
        ("endless", usize::MAX >> 1, 3),
    ] {
        // the same rows whatever is asked for; and a page that is empty
        for later in [page, 0] {
            let mock = Mock::empty().await;
            let rows: Vec<Value> = (0..page).map(job).collect();
            mock.each(JOBS, move |asked| {
                let offset = asked.number("offset");
                Reply::page(
                    if offset == 0 { &rows } else { &rows[..later] },
                    total,
                    offset,
                )
            });
            let answer = mock.world(name).await.ask(ALL_JOBS).await;
            is_incomplete(&answer, "UPSTREAM_INVALID");
            assert_eq!(names(&answer).len(), page);
            let asked = mock.reads().len();
            assert!(asked <= 2 * (1 + 2 * 8), "{name}: {asked} requests");
        }
    }
}

/// A session of Enterprise Manager's query.
fn session(number: usize) -> Value {
    json!({
        "JobUid": "urn:veeam:Job:5c35da5c-830d-5699-8630-21ed438439df",
        "JobName": "Agents 1",
        "JobType": "AgentBackup",
        "CreationTimeUTC": format!("2026-11-26T22:{:02}:{:02}Z", 59 - number / 60, 59 - number % 60),
        "EndTimeUTC": "2026-11-26T23:10:05Z",
        "State": "Stopped",
        "Result": "Success",
        "Name": format!("Agents 1@{number}"),
        "UID": format!("urn:veeam:BackupJobSession:00000000-0000-4000-8000-{number:012x}"),
    })
}

fn query_page(rows: &[Value], number: usize, size: usize, pages: usize) -> Reply {
    Reply::json(
        json!({
            "Refs": null,
            "Entities": {"BackupJobSessions": {"BackupJobSessions": rows}},
            "PagingInfo": {"Links": [], "PageNum": number, "PageSize": size, "PagesCount": pages},
        })
        .to_string(),
    )
}

const SESSIONS: &str = "{ agentSessions(first: 500) { complete totalCount } }";

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_fall_between_pages_are_noticed() {
    let rows: Vec<Value> = (0..250).map(session).collect();
    let serve = |name: &'static str, spoil: fn(usize, usize, &mut Vec<Value>, &[Value])| {
        let rows = rows.clone();
        async move {
            let mock = Mock::empty().await;
            let readings = AtomicUsize::new(0);
            mock.each("/api/query", move |asked| {
                let page = asked.number("page");
                if page == 1 {
                    readings.fetch_add(1, Ordering::SeqCst);
                }
                let mut served = rows[(page - 1) * 100..(page * 100).min(rows.len())].to_vec();
                spoil(page, readings.load(Ordering::SeqCst), &mut served, &rows);
                query_page(&served, page, 100, 3)
            });
            let world = mock.world(name).await;
            let answer = world.ask(SESSIONS).await;
            let queries = mock
                .reads()
                .into_iter()
                .filter(|request| request.starts_with("GET /api/query?"))
                .count();
            (answer, queries)
        }
    };
    let (answer, queries) = serve("em-whole", |_, _, _, _| {}).await;
    assert_eq!(
        (answer["data"]["agentSessions"].clone(), queries),
        (json!({"complete": true, "totalCount": 250}), 3)
    );
    // another row is lost in each reading
    let (answer, queries) = serve("em-shifts", |page, reading, served, rows| {
        if page == 2 {
            served[reading] = rows[99].clone();
        }
    })
    .await;
    assert_eq!(
        (answer["data"]["agentSessions"].clone(), queries),
        (json!({"complete": false, "totalCount": null}), 6)
    );
    assert_eq!(codes(&answer), ["UPSTREAM_INVALID"]);
    told(
        "em-shifts-em",
        &["/api/query", "changed while it was read, twice"],
    );
    // the first reading only
    let (answer, queries) = serve("em-once", |page, reading, served, rows| {
        if page == 2 && reading == 1 {
            served[0] = rows[99].clone();
        }
    })
    .await;
    assert_eq!(
        (answer["data"]["agentSessions"].clone(), queries),
        (json!({"complete": true, "totalCount": 250}), 6)
    );
    // the server's own, in the same place both times
    let (answer, queries) = serve("em-own", |page, _, served, rows| {
        if page == 2 {
            served[7] = rows[99].clone();
        }
    })
    .await;
    assert_eq!(
        (answer["data"]["agentSessions"].clone(), queries),
        (json!({"complete": true, "totalCount": 249}), 6)
    );
}
