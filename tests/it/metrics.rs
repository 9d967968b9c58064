//! `/metrics`: what docs/metrics.md lists is there with its type and labels and nothing else is, and
//! the dashboard and the alerting rules ask for nothing that is not.

use crate::world::{Setup, World, codes};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use veeam_graph::{
    config::Server,
    simulator::{Fault, FaultKind},
};

/// Of one metric: its type, and the labels of all its series together.
#[derive(Debug, Default, PartialEq, Eq)]
struct Metric {
    kind: String,
    labels: BTreeSet<String>,
}

/// One line of the text format.
struct Series<'a> {
    name: &'a str,
    labels: Vec<(&'a str, &'a str)>,
    value: f64,
}

fn series(text: &str) -> impl Iterator<Item = Series<'_>> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.strip_suffix('}').unwrap();
            let labels = labels
                .split(',')
                .filter(|label| !label.is_empty())
                .map(|label| {
                    let (name, value) = label.split_once('=').unwrap();
                    (name, value.trim_matches('"'))
                })
                .collect();
            Series {
                name,
                labels,
                value: value.parse().unwrap(),
            }
        })
}

/// Every metric of a scrape, by the name of its family.
fn families(text: &str) -> BTreeMap<String, Metric> {
    let mut families = BTreeMap::<String, Metric>::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            let before = families.insert(
                name.to_owned(),
                Metric {
                    kind: kind.to_owned(),
                    ..Metric::default()
                },
            );
            assert_eq!(before, None, "{name} is told twice");
        }
    }
    for one in series(text) {
        let family = ["_bucket", "_sum", "_count", ""]
            .iter()
            .find_map(|suffix| {
                one.name
                    .strip_suffix(suffix)
                    .filter(|name| families.contains_key(*name))
            })
            .unwrap_or_else(|| panic!("{} has no type", one.name))
            .to_owned();
        let labels = one.labels.iter().map(|(name, _)| (*name).to_owned());
        let labels = labels.filter(|name| name != "le");
        families.get_mut(&family).unwrap().labels.extend(labels);
    }
    families
}

/// What docs/metrics.md lists.
fn listed() -> BTreeMap<String, Metric> {
    let words = |cell: &str| {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    include_str!("../../docs/metrics.md")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let metric = Metric {
                kind: cells[2].to_owned(),
                labels: words(cells[3]).into_iter().collect(),
            };
            (words(cells[1])[0].clone(), metric)
        })
        .collect()
}

/// Names of metrics in an expression.
fn named(expression: &str) -> Vec<String> {
    expression
        .split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .filter(|word| word.starts_with("veeam_graph_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// Every way in which requests and reads can end.
async fn traffic(world: &World) -> String {
    world
        .data("{ jobs(first: 5) { nodes { name } } agentSessions(first: 5) { totalCount } companies { totalCount } }")
        .await;
    world
        .data("{ jobs(first: 5) { nodes { name } } agentSessions(first: 5) { totalCount } companies { totalCount } }")
        .await;
    world.ask("{ nothing }").await;
    world.ask("{").await;
    let (_, text) = world.get("/metrics").await;
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_documented_is_there_and_nothing_else() {
    let world = World::small().await;
    let text = traffic(&world).await;
    let (found, listed) = (families(&text), listed());
    let names = |of: &BTreeMap<String, Metric>| of.keys().cloned().collect::<BTreeSet<_>>();
    let is_here = |name: &&String| cfg!(target_os = "linux") || !name.starts_with("process_");
    assert_eq!(
        names(&found).iter().filter(is_here).collect::<Vec<_>>(),
        names(&listed).iter().filter(is_here).collect::<Vec<_>>()
    );
    for (name, metric) in &found {
        assert_eq!(metric, &listed[name], "{name}");
        assert!(
            text.contains(&format!("# HELP {name} ")),
            "{name} says nothing of itself"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_and_the_alerts_ask_for_nothing_that_is_not_there() {
    let world = World::small().await;
    let text = traffic(&world).await;
    let known: BTreeSet<&str> = series(&text).map(|series| series.name).collect();
    let dashboard: Value =
        serde_json::from_str(include_str!("../../examples/grafana/dashboard.json")).unwrap();
    let of_panels = dashboard["panels"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|panel| {
            panel["targets"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|target| target["expr"].as_str().unwrap().to_owned())
        });
    let alerts = include_str!("../../examples/prometheus/alerts.yaml");
    let of_alerts = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr: "))
        .map(str::to_owned);
    let expressions: Vec<String> = of_panels.chain(of_alerts).collect();
    assert!(expressions.len() > 40, "{expressions:#?}");
    for expression in &expressions {
        let names = named(expression);
        assert!(!names.is_empty(), "{expression}");
        for name in names {
            assert!(
                known.contains(&*name),
                "{name} is not in /metrics: {expression}"
            );
        }
        // what they group by is a label of what they ask for
        let labels: BTreeSet<&str> = series(&text)
            .filter(|series| named(expression).iter().any(|name| name == series.name))
            .flat_map(|series| series.labels.into_iter().map(|(name, _)| name))
            .collect();
        for group in expression.split("by (").skip(1) {
            for label in group.split(')').next().unwrap().split(',').map(str::trim) {
                assert!(labels.contains(label), "{label}: {expression}");
            }
        }
    }
}

/// The sum of the series of one name that have these labels.
fn sum(text: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    series(text)
        .filter(|series| {
            series.name == format!("veeam_graph_{name}")
                && labels.iter().all(|label| series.labels.contains(label))
        })
        .map(|series| series.value)
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_counted_once_by_how_it_went() {
    let world = World::small().await;
    let (_, before) = world.get("/metrics").await;
    world.requests();
    world.data("{ jobs(first: 5) { nodes { name } } }").await;
    world.data("{ jobs(first: 5) { nodes { name } } }").await;
    world.ask("{ nothing }").await;
    world.ask(&format!("{{ {} }}", "a".repeat(1_000))).await;
    world.simulator.faults.add([Fault {
        path: "/api/v3/organizations?*".to_owned(),
        times: None,
        kind: FaultKind::Garble,
    }]);
    let failed = world
        .ask("{ a: companies { totalCount } b: companies { totalCount } }")
        .await;
    assert!(codes(&failed).contains(&"UPSTREAM_INVALID"), "{failed}");
    let (_, after) = world.get("/metrics").await;
    let more = |name: &str, labels: &[(&str, &str)]| {
        sum(&after, name, labels) - sum(&before, name, labels)
    };
    for (outcome, count) in [
        ("answered", 2.0),
        ("invalid", 1.0),
        ("refused", 1.0),
        ("errors", 1.0),
    ] {
        for name in ["requests_total", "request_duration_seconds_count"] {
            let labels = [("outcome", outcome), ("transport", "http")];
            assert_eq!(more(name, &labels), count, "{name} {outcome}\n{after}");
        }
    }
    assert_eq!(more("requests_total", &[]), 5.0);
    // two errors of one code are one request with it
    for (code, count) in [
        ("UPSTREAM_INVALID", 1.0),
        ("GRAPHQL_VALIDATION_FAILED", 1.0),
        ("QUERY_TOO_COMPLEX", 1.0),
        ("INTERNAL", 0.0),
    ] {
        assert_eq!(
            more("request_errors_total", &[("code", code)]),
            count,
            "{code}"
        );
    }
    assert_eq!(more("answers_given_again_total", &[]), 1.0);
    // what went over the wire, by why and by how it was answered
    let sent = world.requests().len() as f64;
    assert_eq!(more("upstream_sent_total", &[("reason", "question")]), sent);
    assert_eq!(
        more("upstream_duration_seconds_count", &[("status", "2xx")]),
        sent
    );
    let companies = [("upstream", "msp"), ("list", "Organizations")];
    let reads = |outcome| {
        more(
            "list_reads_total",
            &[companies[0], companies[1], ("outcome", outcome)],
        )
    };
    assert_eq!((reads("read"), reads("failed")), (0.0, 1.0));
    assert!(sum(&after, "list_rows", &[("list", "Jobs")]) > 0.0);
    assert_eq!(
        sum(&after, "upstream_sign_ins_total", &[("outcome", "failed")]),
        0.0
    );
    assert!(sum(&after, "upstream_sent_total", &[("reason", "probe")]) >= 2.0);
    assert!(sum(&after, "upstream_sent_total", &[("reason", "sign_in")]) >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_an_address_of_their_own_where_one_is_set() {
    let (reserved, address) = crate::world::listen().await;
    drop(reserved);
    let usual = Setup::default();
    let world = World::start(Setup {
        server: Server {
            metrics_listen: Some(address),
            ..usual.server
        },
        ..Setup::default()
    })
    .await;
    assert_eq!(world.get("/metrics").await.0, 404);
    let get = async |path: &str| {
        let response = world
            .client
            .get(format!("http://{address}{path}"))
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let (status, text) = get("/metrics").await;
    assert_eq!(status, 200);
    assert!(text.contains("veeam_graph_build_info{version=\""), "{text}");
    // nothing else is there
    for path in [
        "/",
        "/graphql?query={__typename}",
        "/health/ready",
        "/graphiql",
    ] {
        assert_eq!(get(path).await.0, 404, "{path}");
    }
}
