//! The questions over each version of the console's API and of Enterprise Manager: what is answered
//! is the same, or is told not to be known.

use super::{Words, ask, questions, untrue};
use crate::world::{Setup, World};
use serde_json::{Value, json};
use uuid::Uuid;
use veeam_graph::simulator::{ApiVersion, Bridge, Casing, Estate, Options, Scale};

/// A restored server whose jobs have ids of their own: what a console does that names jobs by its
/// own ids alone.
pub fn tell_clones_apart(estate: &mut Estate) {
    let is_clone: Vec<bool> = estate
        .servers
        .iter()
        .map(|server| server.clone_of.is_some())
        .collect();
    let old: Vec<Uuid> = estate
        .jobs
        .iter()
        .filter(|job| is_clone[job.server])
        .map(|job| job.uid)
        .collect();
    let new = |uid: &mut Uuid| *uid = Uuid::from_u128(uid.as_u128() ^ 0xc10e);
    estate
        .jobs
        .iter_mut()
        .filter(|job| is_clone[job.server])
        .for_each(|job| new(&mut job.uid));
    estate
        .copies
        .iter_mut()
        .filter(|copy| is_clone[copy.server])
        .for_each(|copy| new(&mut copy.uid));
    let links = estate
        .tape_links
        .iter_mut()
        .chain(&mut estate.copy_links)
        .chain(&mut estate.simple_copy_links);
    links
        .filter(|link| is_clone[link.server] && old.contains(&link.linked))
        .for_each(|link| new(&mut link.linked));
    let runs = estate
        .sessions
        .iter_mut()
        .filter(|session| is_clone[session.server] && session.parent.is_none());
    runs.for_each(|session| new(&mut session.job));
    // and the console has an id of its own for each
    estate
        .servers
        .iter_mut()
        .for_each(|server| server.has_unique_ids = true);
}

/// Links go by ids, of which versions have different ones.
fn without_order(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                without_order(member);
                if name.to_lowercase().contains("linkedjobs")
                    && let Some(nodes) = member["nodes"].as_array_mut()
                {
                    nodes.sort_by_key(Value::to_string);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(without_order),
        _ => {}
    }
}

async fn over(options: Options, seed: u64, change: fn(&mut Estate)) -> (usize, usize) {
    let version = options.version;
    let world = World::start(Setup {
        scale: Scale::Small,
        seed,
        options,
        change,
        ..Setup::default()
    })
    .await;
    let estate = world.simulator.estate();
    let (mut whole, mut honest) = (0, 0);
    for (number, name, text) in questions() {
        let (mut answer, has_errors) = ask(&world, &text).await;
        let mut expected = Words(&estate).answer(number);
        without_order(&mut answer);
        without_order(&mut expected);
        if answer == expected {
            assert!(!has_errors, "{name}, {version:?}");
            whole += 1;
            continue;
        }
        honest += 1;
        assert!(
            has_errors,
            "{name}, {version:?}, seed {seed}: {:?}",
            first_difference(&answer, &expected, "")
        );
        assert_eq!(
            untrue(&answer, &expected, ""),
            None,
            "{name}, {version:?}, seed {seed}"
        );
    }
    let upstreams = world
        .data(include_str!("../../../examples/queries/upstreams.graphql"))
        .await;
    assert_eq!(upstreams["upstreams"][0]["version"], version.server());
    assert_eq!(
        upstreams["upstreams"][0]["apiVersion"],
        json!(version.name())
    );
    (whole, honest)
}

/// Where two values first differ, for people.
fn first_difference(answer: &Value, expected: &Value, path: &str) -> Option<String> {
    match (answer, expected) {
        (Value::Object(left), Value::Object(right)) if left.len() == right.len() => {
            left.iter().find_map(|(name, value)| {
                first_difference(value, &right[name], &format!("{path}.{name}"))
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let places = left.iter().zip(right).enumerate();
            places.into_iter().find_map(|(place, (left, right))| {
                first_difference(left, right, &format!("{path}.{place}"))
            })
        }
        _ => (answer != expected).then(|| format!("{path}: {answer:.300} is not {expected:.300}")),
    }
}

fn as_is(_: &mut Estate) {}

/// Before the console had ids of its own.
pub fn no_unique_ids(estate: &mut Estate) {
    estate
        .servers
        .iter_mut()
        .for_each(|server| server.has_unique_ids = false);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_of_the_console_gives_the_same_answers() {
    for version in ApiVersion::ALL {
        let change = match version {
            ApiVersion::V3_2 | ApiVersion::V3_3 | ApiVersion::V3_4 => no_unique_ids,
            ApiVersion::V3_5 => tell_clones_apart,
            _ => as_is,
        };
        for seed in [1, 4] {
            let (whole, honest) = over(
                Options {
                    version,
                    ..Options::default()
                },
                seed,
                change,
            )
            .await;
            // of 3.2 there are no lists of agents, of continuous replication and of licences
            let missing = if version == ApiVersion::V3_2 {
                1..=4
            } else {
                0..=0
            };
            assert!(
                missing.contains(&honest),
                "{version:?}, seed {seed}: {whole} whole, {honest} told incomplete"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_of_enterprise_manager_and_reading_of_the_bridge_gives_the_same_answers() {
    for (casing, xml_only, bridge) in [
        (Casing::Camel, false, Bridge::Nested),
        (Casing::Pascal, false, Bridge::FlatAlone),
        (Casing::Pascal, true, Bridge::Nested),
    ] {
        let (_, honest) = over(
            Options {
                casing,
                xml_only,
                bridge,
                ..Options::default()
            },
            2,
            as_is,
        )
        .await;
        assert_eq!(honest, 0, "{casing:?} {bridge:?}");
    }
}
