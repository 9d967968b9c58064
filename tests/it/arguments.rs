//! Lists and objects in arguments cost what they cause: they weigh before anything runs, and are counted while it does.

use crate::world::{Setup, World, codes};
use serde_json::{Value, json};
use veeam_graph::config::Limits;

fn message(answer: &Value) -> &str {
    answer["errors"][0]["message"].as_str().unwrap_or_default()
}

async fn cost(world: &World, query: &str) -> u64 {
    world.ask(query).await["extensions"]["cost"]["estimated"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_at_most_as_many_orders_as_there_are_fields_to_order_by() {
    let world = World::small().await;
    for (list, most) in [("jobs", 5), ("agentSessions", 5), ("repositories", 4)] {
        let ask = async |orders: usize| {
            let field = if list == "agentSessions" { "{ field: DURATION } " } else { "{ field: NAME, direction: DESC } " };
            world.ask(&format!("{{ {list}(orderBy: [{}]) {{ totalCount }} }}", field.repeat(orders))).await
        };
        assert_eq!(codes(&ask(most).await), Vec::<&str>::new(), "{list}");
        for more in [most + 1, 1_000] {
            let answer = ask(more).await;
            assert_eq!(codes(&answer), ["BAD_USER_INPUT"], "{list}");
            assert!(message(&answer).contains(&format!("at most {most}")), "{answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_of_lists_and_objects_weighs_written_or_as_a_variable() {
    let world = World::small().await;
    let names = |count: usize| format!("[{}]", "{ nameContains: \"x\" } ".repeat(count));
    let none = cost(&world, "{ jobs { totalCount } }").await;
    let ten = cost(&world, &format!("{{ jobs(filter: {{ or: {} }}) {{ totalCount }} }}", names(10))).await;
    let twenty = cost(&world, &format!("{{ jobs(filter: {{ or: {} }}) {{ totalCount }} }}", names(20))).await;
    // each is an item with a member, and so is the list itself
    assert_eq!((ten - none, twenty - ten), (21_000, 20_000));
    let written = world.ask(&format!("{{ jobs(filter: {{ or: {} }}) {{ totalCount }} }}", names(1_200))).await;
    assert_eq!(codes(&written), Vec::<&str>::new());
    // as a variable, and as one that is used again
    for (text, count) in [
        ("query A($f: JobFilter) { jobs(filter: $f) { totalCount } }", 3_000),
        ("query A($f: JobFilter) { a: jobs(filter: $f) { totalCount } b: jobs(filter: $f) { totalCount } }", 1_500),
    ] {
        let answer = world.ask_with(text, json!({"f": {"or": vec![json!({"nameContains": "x"}); count]}})).await;
        assert_eq!(codes(&answer), ["QUERY_TOO_COMPLEX"]);
        assert!(message(&answer).contains("limits.cost"), "{answer}");
    }
    // a list below rows is a parent's, and shorter
    let below = |filter: &str| format!("{{ backupServers(first: 1) {{ nodes {{ jobs{filter} {{ totalCount }} }} }} }}");
    let (none, one) = (cost(&world, &below("")).await, cost(&world, &below("(filter: { enabled: true })")).await);
    assert_eq!(one - none, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn comparisons_and_memory_of_a_request_are_bounded_by_settings_that_the_refusal_names() {
    let limits = Limits { comparisons: 1_000, request_memory: 1 << 20, ..Limits::default() };
    let world = World::start(Setup { limits, ..Setup::default() }).await;
    assert_eq!(codes(&world.ask("{ jobs(filter: { health: [FAILED, FAILED] }) { totalCount } }").await), Vec::<&str>::new());
    let filters = "{ enabled: true } ".repeat(200);
    let answer = world.ask(&format!("{{ jobs(filter: {{ and: [{filters}] }}) {{ totalCount }} }}")).await;
    assert_eq!(codes(&answer), ["QUERY_TOO_COMPLEX"]);
    assert!(message(&answer).contains("limits.comparisons"), "{answer}");
    let fields: String = (0..180).map(|at| format!("a{at}: name ")).collect();
    let answer = world.ask(&format!("{{ jobs(first: 500) {{ nodes {{ {fields} }} }} }}")).await;
    assert_eq!(codes(&answer), ["QUERY_TOO_COMPLEX"]);
    assert!(message(&answer).contains("limits.request_memory"), "{answer}");
}
