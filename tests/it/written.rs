//! Rows that are written straight from what is in hand: random operations, made from the schema, of
//! a gateway that does so and of one whose general executor resolves everything. Both must answer
//! the same, byte for byte.
//!
//! `WRITTEN_OPERATIONS` sets how many are asked, `WRITTEN_SEED` which.

use crate::{
    isolation::questions::Dice,
    world::{Setup, World},
};
use apollo_compiler::{
    Schema,
    ast::{FieldDefinition, Type},
    schema::ExtendedType,
};
use aws_lc_rs::digest;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write, time::Duration};
use veeam_graph::{
    config::{Access, Cache, Caller, Hide, Limits, Sees},
    simulator::{Fault, FaultKind, Scale},
};

/// Everything below an object.
const DEPTH: usize = 4;

/// Who asks: one who sees everything, one who may not read everything of it, one who sees a
/// company, one who sees a server.
const KEYS: [&str; 4] = ["all", "shy", "company", "server"];

fn setup(general_executor_only: bool) -> Setup {
    let caller = |name: &str, sees, hide| Caller {
        name: name.to_owned(),
        keys: vec![
            digest::digest(&digest::SHA256, name.as_bytes())
                .as_ref()
                .try_into()
                .unwrap(),
        ],
        sees: Some(sees),
        hide,
        ..Caller::default()
    };
    let estate = veeam_graph::simulator::generate::generate(Scale::Small, 1, crate::world::now());
    let hide = Hide {
        failure_messages: true,
        host_names: true,
    };
    let company = Sees {
        companies: Some(vec![estate.companies[0].name.clone()]),
        ..Sees::default()
    };
    let server = Sees {
        servers: Some(vec![estate.servers[0].name.clone()]),
        ..Sees::default()
    };
    let long = Some(Duration::from_secs(86_400));
    Setup {
        auth: Access {
            callers: vec![
                caller("all", Sees::default(), Hide::default()),
                caller("shy", Sees::default(), hide),
                caller("company", company, Hide::default()),
                caller("server", server, hide),
            ],
            ..Access::default()
        },
        limits: Limits {
            kept_answers_bytes: 0,
            kept_rows_bytes: 0,
            general_executor_only,
            ..Limits::default()
        },
        // what is stale is a matter of the clock
        cache: Cache {
            jobs: long,
            agent_objects: long,
            sessions: long,
            links: long,
            copy_jobs: long,
            servers: long,
            companies: long,
            repositories: long,
            agent_jobs: long,
            alarms: long,
            workloads: long,
            licenses: long,
            ..Cache::default()
        },
        ..Setup::default()
    }
}

/// Random operations.
struct Asking<'s> {
    schema: &'s Schema,
    dice: Dice,
    aliases: u32,
    fragments: BTreeMap<String, String>,
}

impl<'s> Asking<'s> {
    fn operation(&mut self) -> Value {
        self.fragments.clear();
        let mut text = String::from("query($yes: Boolean!, $n: Int) ");
        text += &self.selection("Query", DEPTH);
        for fragment in self.fragments.values() {
            text += fragment;
        }
        // both are used, whatever else is
        text = text.replacen(
            "{ ",
            "{ used: __typename @include(if: $yes) usedToo: companies(first: $n) { totalCount } ",
            1,
        );
        json!({"query": text, "variables": {"yes": self.dice.roll(2) == 0, "n": self.dice.roll(5)}})
    }

    fn fields(&self, of: &str) -> Vec<(&'s str, &'s FieldDefinition)> {
        let fields = match &self.schema.types[of] {
            ExtendedType::Object(object) => &object.fields,
            ExtendedType::Interface(interface) => &interface.fields,
            _ => return Vec::new(),
        };
        fields
            .iter()
            // how upstreams fare is not the same of two gateways; what is looked up by id is in lists
            .filter(|(_, field)| {
                let leads_to = field.ty.inner_named_type().as_str();
                leads_to != "Upstream" && (of != "Query" || leads_to.ends_with("Connection"))
            })
            .map(|(name, field)| (name.as_str(), &***field))
            .collect()
    }

    fn implementers(&self, of: &str) -> Vec<&'s str> {
        let is_one = |kind: &ExtendedType| match kind {
            ExtendedType::Object(object) => object.implements_interfaces.contains(of),
            _ => false,
        };
        let types = self.schema.types.iter();
        types
            .filter(|(_, kind)| is_one(kind))
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// `{ … }` of a type; at least one member.
    fn selection(&mut self, of: &str, depth: usize) -> String {
        let mut text = String::from("{ ");
        text += match self.dice.roll(3) {
            0 => "__typename ",
            1 => "kindOf: __typename ",
            _ => "",
        };
        self.members(of, depth, "", &mut text);
        let implementers = self.implementers(of);
        if !implementers.is_empty() {
            for _ in 0..self.dice.roll(3) {
                let narrowed = *self.dice.one_of(&implementers);
                let mut inner = String::from("{ ");
                // what one type alone has may be of another type elsewhere
                self.members(narrowed, depth, narrowed, &mut inner);
                let _ = write!(text, "... on {narrowed} {inner}}} ");
            }
        }
        text + "}"
    }

    fn members(&mut self, of: &str, depth: usize, prefix: &str, text: &mut String) {
        let fields = self.fields(of);
        let before = text.len();
        for _ in 0..1 + self.dice.roll(6) {
            let (name, field) = *self.dice.one_of(&fields);
            if let Some(member) = self.member(name, field, depth, prefix) {
                let directive = self.directive();
                let _ = match self.dice.roll(8) {
                    0 => write!(text, "... {directive} {{ {member} }} "),
                    1 => write!(text, "... on {of} {{ {member} }} "),
                    2 => {
                        let fragment = format!("F{}", self.fragments.len());
                        let definition = format!(" fragment {fragment} on {of} {{ {member} }}");
                        self.fragments.insert(fragment.clone(), definition);
                        write!(text, "...{fragment} {directive} ")
                    }
                    // twice the same is once
                    3 if !member.contains('{') => write!(text, "{member} {member} "),
                    _ if member.contains('{') => write!(text, "{member} "),
                    _ => write!(text, "{member} {directive} "),
                };
            }
        }
        if text.len() == before {
            text.push_str("__typename ");
        }
    }

    fn directive(&mut self) -> &'static str {
        match self.dice.roll(10) {
            0 => "@include(if: $yes)",
            1 => "@skip(if: $yes)",
            2 => "@include(if: true) @skip(if: false)",
            _ => "",
        }
    }

    fn member(
        &mut self,
        name: &str,
        field: &FieldDefinition,
        depth: usize,
        prefix: &str,
    ) -> Option<String> {
        let is_leaf = self.is_leaf(&field.ty);
        if !is_leaf && depth == 0 {
            return None;
        }
        let mut arguments = String::new();
        for argument in &field.arguments {
            let value = match (argument.name.as_str(), &*argument.ty) {
                ("first", _) => match self.dice.roll(4) {
                    0 => "$n".to_owned(),
                    _ => self.dice.roll(6).to_string(),
                },
                (_, ty) if !ty.is_non_null() => continue,
                (_, ty) => match &self.schema.types[ty.inner_named_type()] {
                    ExtendedType::Enum(of) => of.values.keys().next()?.to_string(),
                    _ if argument.name == "window" => "{ days: 20 }".to_owned(),
                    _ => return None,
                },
            };
            let _ = write!(
                arguments,
                "{}{}: {value}",
                if arguments.is_empty() { "" } else { ", " },
                argument.name
            );
        }
        let mut text = String::new();
        // an edge is asked for once by a name: two may have other arguments
        if !is_leaf || !arguments.is_empty() || self.dice.roll(4) == 0 || !prefix.is_empty() {
            self.aliases += 1;
            let _ = write!(text, "a{}: ", self.aliases);
        }
        text += name;
        if !arguments.is_empty() {
            let _ = write!(text, "({arguments})");
        }
        if !is_leaf {
            let _ = write!(
                text,
                " {}",
                self.selection(field.ty.inner_named_type(), depth - 1)
            );
        }
        Some(text)
    }

    fn is_leaf(&self, ty: &Type) -> bool {
        matches!(
            self.schema.types[ty.inner_named_type()],
            ExtendedType::Scalar(_) | ExtendedType::Enum(_)
        )
    }
}

/// An answer as it is on the wire, without what is another one's each time.
async fn ask(world: &World, key: &str, body: &Value) -> (String, String) {
    let request = world
        .client
        .post(format!("{}/graphql", world.origin))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {key}"));
    let answer = request.body(body.to_string()).send().await.unwrap();
    let text = answer.text().await.unwrap();
    let data = text
        .split_once("\"data\":")
        .and_then(|(_, data)| data.rsplit_once(",\"extensions\":"))
        .map(|(data, _)| data.to_owned())
        .unwrap_or_default();
    let mut rest: Value = serde_json::from_str(&text).unwrap();
    rest["data"].take();
    rest["extensions"]["upstream"].take();
    if let Some(errors) = rest.get_mut("errors").and_then(Value::as_array_mut) {
        for error in errors.iter_mut() {
            error["extensions"]["requestId"].take();
            error["extensions"]["retryAfterSeconds"].take();
        }
        // whose read lands first is told first
        errors.sort_by_key(Value::to_string);
    }
    (data, rest.to_string())
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var_os(name).map_or(usual, |number| number.to_str().unwrap().parse().unwrap())
}

/// So many operations are answered the same by both; tells how many of the answers had errors.
async fn compare(asking: &mut Asking<'_>, operations: u64, broken: &[&str]) -> u64 {
    let (writing, resolving) = (
        World::start(setup(false)).await,
        World::start(setup(true)).await,
    );
    for world in [&writing, &resolving] {
        world.simulator.faults.add(broken.iter().map(|path| Fault {
            path: (*path).to_owned(),
            times: None,
            kind: FaultKind::Status {
                status: 403,
                retry_after: None,
                retry_after_in_body: None,
                location: None,
            },
        }));
    }
    let (mut answered, mut with_errors, mut refused) = (0, 0, 0);
    while answered < operations {
        let operation = asking.operation();
        let key = *asking.dice.one_of(&KEYS);
        let expected = ask(&resolving, key, &operation).await;
        // once its lists are in hand it is another matter than before
        for _ in 0..2 {
            let written = ask(&writing, key, &operation).await;
            assert_eq!(written, expected, "{key}: {operation}");
        }
        match (expected.0.is_empty(), expected.1.contains("\"errors\"")) {
            (true, _) => refused += 1,
            (false, true) => (answered, with_errors) = (answered + 1, with_errors + 1),
            (false, false) => answered += 1,
        }
        assert!(
            refused <= answered + 100,
            "{refused} of these are refused: {operation} {}",
            expected.1
        );
    }
    with_errors
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_what_the_general_executor_resolves() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql"));
    let schema = Schema::parse_and_validate(text.unwrap(), "schema.graphql").unwrap();
    let mut asking = Asking {
        schema: &schema,
        dice: Dice(number("WRITTEN_SEED", 1)),
        aliases: 0,
        fragments: BTreeMap::new(),
    };
    let operations = number("WRITTEN_OPERATIONS", 2_000) / 2;
    compare(&mut asking, operations, &[]).await;
    // errors in the middle
    let broken = [
        "*/organizations/companies*",
        "*/repositories*",
        "*/agentJobs/objects*",
    ];
    let with_errors = compare(&mut asking, operations, &broken).await;
    assert!(
        with_errors * 5 > operations,
        "{with_errors} of {operations} had errors"
    );
}
