//! Lists and objects in arguments cost what they cause: they weigh before anything runs, and are
//! counted while it does.

use crate::world::{PATIENCE, Setup, World, codes};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use veeam_graph::config::Limits;

fn message(answer: &Value) -> &str {
    answer["errors"][0]["message"].as_str().unwrap_or_default()
}

async fn cost(world: &World, query: &str) -> u64 {
    world.ask(query).await["extensions"]["cost"]["estimated"]
        .as_u64()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_at_most_as_many_orders_as_there_are_fields_to_order_by() {
    let world = World::small().await;
    for (list, most) in [("jobs", 5), ("agentSessions", 5), ("repositories", 4)] {
        let ask = async |orders: usize| {
            let field = if list == "agentSessions" {
                "{ field: DURATION } "
            } else {
                "{ field: NAME, direction: DESC } "
            };
            world
                .ask(&format!(
                    "{{ {list}(orderBy: [{}]) {{ totalCount }} }}",
                    field.repeat(orders)
                ))
                .await
        };
        assert_eq!(codes(&ask(most).await), Vec::<&str>::new(), "{list}");
        for more in [most + 1, 1_000] {
            let answer = ask(more).await;
            assert_eq!(codes(&answer), ["BAD_USER_INPUT"], "{list}");
            assert!(
                message(&answer).contains(&format!("at most {most}")),
                "{answer}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_of_lists_and_objects_weighs_written_or_as_a_variable() {
    let world = World::small().await;
    let names = |count: usize| format!("[{}]", "{ nameContains: \"x\" } ".repeat(count));
    let none = cost(&world, "{ jobs { totalCount } }").await;
    let ten = cost(
        &world,
        &format!(
            "{{ jobs(filter: {{ or: {} }}) {{ totalCount }} }}",
            names(10)
        ),
    )
    .await;
    let twenty = cost(
        &world,
        &format!(
            "{{ jobs(filter: {{ or: {} }}) {{ totalCount }} }}",
            names(20)
        ),
    )
    .await;
    // each is an item with a member, and so is the list itself
    assert_eq!((ten - none, twenty - ten), (21_000, 20_000));
    let written = world
        .ask(&format!(
            "{{ jobs(filter: {{ or: {} }}) {{ totalCount }} }}",
            names(1_200)
        ))
        .await;
    assert_eq!(codes(&written), Vec::<&str>::new());
    // as a variable, and as one that is used again
    for (text, count) in [
        (
            "query A($f: JobFilter) { jobs(filter: $f) { totalCount } }",
            3_000,
        ),
        (
            "query A($f: JobFilter) { a: jobs(filter: $f) { totalCount } b: jobs(filter: $f) { totalCount } }",
            1_500,
        ),
    ] {
        let answer = world
            .ask_with(
                text,
                json!({"f": {"or": vec![json!({"nameContains": "x"}); count]}}),
            )
            .await;
        assert_eq!(codes(&answer), ["QUERY_TOO_COMPLEX"]);
        assert!(message(&answer).contains("limits.cost"), "{answer}");
    }
    // a list below rows is a parent's, and shorter
    let below = |filter: &str| {
        format!("{{ backupServers(first: 1) {{ nodes {{ jobs{filter} {{ totalCount }} }} }} }}")
    };
    let (none, one) = (
        cost(&world, &below("")).await,
        cost(&world, &below("(filter: { enabled: true })")).await,
    );
    assert_eq!(one - none, 64);
    // ids name their rows, and are read all the same: again in every field that names the variable
    let roots = |count: usize| {
        (0..count)
            .map(|at| format!("a{at}: nodes(ids: $ids) {{ id }} "))
            .collect::<String>()
    };
    let ids = json!({"ids": vec!["QQ"; 4_000]});
    for (count, is_too_much) in [(1, false), (19, false), (20, true), (50, true)] {
        let answer = world
            .ask_with(
                &format!("query A($ids: [ID!]!) {{ {} }}", roots(count)),
                ids.clone(),
            )
            .await;
        assert_eq!(
            message(&answer).contains("limits.cost"),
            is_too_much,
            "{count}: {answer:.300}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn comparisons_and_memory_of_a_request_are_bounded_by_settings_that_the_refusal_names() {
    let limits = Limits {
        comparisons: 1_000,
        request_memory: 1 << 20,
        ..Limits::default()
    };
    let world = World::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    assert_eq!(
        codes(
            &world
                .ask("{ jobs(filter: { health: [FAILED, FAILED] }) { totalCount } }")
                .await
        ),
        Vec::<&str>::new()
    );
    let filters = "{ enabled: true } ".repeat(200);
    let answer = world
        .ask(&format!(
            "{{ jobs(filter: {{ and: [{filters}] }}) {{ totalCount }} }}"
        ))
        .await;
    assert_eq!(codes(&answer), ["QUERY_TOO_COMPLEX"]);
    assert!(message(&answer).contains("limits.comparisons"), "{answer}");
    let fields: String = (0..180).map(|at| format!("a{at}: name ")).collect();
    let answer = world
        .ask(&format!(
            "{{ jobs(first: 500) {{ nodes {{ {fields} }} }} }}"
        ))
        .await;
    assert_eq!(codes(&answer), ["QUERY_TOO_COMPLEX"]);
    assert!(
        message(&answer).contains("limits.request_memory"),
        "{answer}"
    );
}

/// What is held against each other here takes many times longer than the timeout: if nobody but it
/// had a turn meanwhile, it would be answered in the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_takes_long_ends_at_the_timeout_and_not_when_it_is_done() {
    let most = 1 << 40;
    let limits = Limits {
        timeout: Duration::from_millis(200),
        cost: most,
        comparisons: most,
        request_memory: most,
        ..Limits::default()
    };
    let change = |estate: &mut veeam_graph::simulator::Estate| {
        let some = estate.jobs.clone();
        for round in 1..100u128 {
            estate.jobs.extend(some.iter().cloned().map(|mut job| {
                let another =
                    |uid: uuid::Uuid| uuid::Uuid::from_u128(uid.as_u128() ^ (round << 64));
                (job.uid, job.unique_uid) = (another(job.uid), another(job.unique_uid));
                job
            }));
        }
    };
    let world = World::start(Setup {
        limits,
        change,
        ..Setup::default()
    })
    .await;
    let started = Instant::now();
    // the list is in hand once it is read, however long that takes
    while world.ask("{ jobs { totalCount } }").await["data"]["jobs"]["totalCount"]
        .as_u64()
        .is_none_or(|jobs| jobs < 4_000)
    {
        assert!(started.elapsed() < PATIENCE, "the jobs are never read");
    }
    for order in [
        json!(null),
        json!([{"field": "NAME"}, {"field": "HEALTH"}, {"field": "DURATION"}]),
    ] {
        let names: Vec<Value> = (0..5_000)
            .map(|at| json!({"nameContains": format!("{at:x>9}")}))
            .collect();
        let query = "query A($filter: JobFilter, $order: [JobOrder!]) { jobs(filter: $filter, orderBy: $order) { totalCount } }";
        let answer = world
            .ask_with(query, json!({"filter": {"or": names}, "order": order}))
            .await;
        assert_eq!(codes(&answer), ["UPSTREAM_TIMEOUT"], "{answer:.300}");
        assert!(message(&answer).contains("limits.timeout"), "{answer}");
        // and it does not go on when nobody waits for it
        let answer = world
            .ask("{ jobs(filter: { nameContains: \"a\" }) { totalCount } }")
            .await;
        assert_eq!(codes(&answer), Vec::<&str>::new(), "{answer}");
    }
}
