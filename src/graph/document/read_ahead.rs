//! Lists that a query over the whole fleet will need, told before its first level is in.
//!
//! A cold walk reads level by level: servers, then their links, then jobs, then machines; each
//! waits for the one before. But what the levels are is in the document. So their lists are begun
//! at once, each with its first page, which shows how long it is; whoever comes to the list goes on
//! from there. A query about a few rows foresees nothing: their own lists may be the cheaper way.

use crate::estate::ReadAhead;
use crate::graph::reuse::selection_key::SelectionKey;
use async_graphql::{
    Value, Variables,
    parser::types::{
        ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet, TypeCondition,
    },
};
use std::collections::HashSet;

/// Smaller pages are about a few rows.
const FLEET: i64 = 10;
/// `objects` of agent jobs.
const AGENT_OBJECTS: &str = "objects of agent jobs";
/// Connections over the whole fleet.
const ROOTS: [&str; 5] = [
    "backupServers",
    "jobs",
    "tapeLinkedJobs",
    "agentJobObjects",
    "companies",
];

/// What an operation will surely need, or nearly so.
pub fn begin_read_ahead(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
) -> ReadAhead {
    let saying = SelectionKey {
        fragments: &document.fragments,
        variables,
    };
    let mut read_ahead = ReadAhead::default();
    for root in saying
        .fields(&operation.selection_set.node)
        .unwrap_or_default()
    {
        let root = &root.node;
        if !ROOTS.contains(&root.name.node.as_str()) || !is_about_all(root, variables) {
            continue;
        }
        let mut below = HashSet::new();
        names(
            document,
            &root.selection_set.node,
            of_agents(root, false),
            &mut below,
        );
        let has = |names: &[&str]| names.iter().any(|name| below.contains(name));
        let has_links = has(&["tapeLinkedJobs"]);
        read_ahead.tape_links |= has_links;
        // links are placed by their jobs
        read_ahead.jobs |= has_links || has(&["job", "jobs", "linkedJob", "agentJobs", "tapeJobs"]);
        read_ahead.agent_objects |= has(&[AGENT_OBJECTS, "agentJobObjects"]);
        read_ahead.servers |= has(&["backupServer"]);
        read_ahead.companies |= has(&["company"]);
    }
    read_ahead
}

/// Whether a connection goes over all rows of its list, many at a time.
fn is_about_all(field: &Field, variables: &Variables) -> bool {
    field.arguments.iter().all(|(name, value)| {
        let value = value
            .node
            .clone()
            .into_const_with(|name| variables.get(&name).cloned().ok_or(name));
        match (name.node.as_str(), value) {
            ("orderBy", _) => true,
            ("first", Ok(Value::Number(first))) => {
                first.as_i64().is_some_and(|first| first >= FLEET)
            }
            (_, value) => matches!(value, Ok(Value::Null) | Err(_)),
        }
    })
}

/// The fields below, through fragments. Jobs of every kind have `objects`, each kind its own list:
/// those of agent jobs are found by another name.
fn names<'d>(
    document: &'d ExecutableDocument,
    set: &'d SelectionSet,
    is_of_agents: bool,
    found: &mut HashSet<&'d str>,
) {
    let is_agents = |condition: &TypeCondition| is_of_agents || condition.on.node == "AgentJob";
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => {
                let name = field.node.name.node.as_str();
                found.insert(if is_of_agents && name == "objects" {
                    AGENT_OBJECTS
                } else {
                    name
                });
                names(
                    document,
                    &field.node.selection_set.node,
                    of_agents(&field.node, is_of_agents),
                    found,
                );
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    let is_agents = is_agents(&fragment.node.type_condition.node);
                    names(
                        document,
                        &fragment.node.selection_set.node,
                        is_agents,
                        found,
                    );
                }
            }
            Selection::InlineFragment(fragment) => {
                let is_agents = fragment
                    .node
                    .type_condition
                    .as_ref()
                    .map_or(is_of_agents, |condition| is_agents(&condition.node));
                names(
                    document,
                    &fragment.node.selection_set.node,
                    is_agents,
                    found,
                );
            }
        }
    }
}

/// Whether what is below a field are agent jobs, as far as the field tells.
fn of_agents(field: &Field, is_of_agents: bool) -> bool {
    match field.name.node.as_str() {
        "agentJobs" => true,
        "nodes" | "edges" | "node" => is_of_agents,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;

    fn of(text: &str, first: Option<i32>) -> ReadAhead {
        let document = parse_query(text).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        begin_read_ahead(
            &document,
            &operation.node,
            &Variables::from_json(
                first.map_or_else(Default::default, |first| serde_json::json!({"n": first})),
            ),
        )
    }

    #[test]
    fn a_query_over_the_fleet_foresees_its_lists_and_one_about_a_few_rows_none() {
        let walk = "query($n: Int) { backupServers(first: $n) { nodes { ...S } } } fragment S on BackupServer { tapeLinkedJobs { nodes { linkedJob { ... on AgentJob { objects { totalCount } } } } } }";
        let whole = ReadAhead {
            tape_links: true,
            jobs: true,
            agent_objects: true,
            ..ReadAhead::default()
        };
        assert_eq!([of(walk, None), of(walk, Some(50))], [whole; 2]);
        assert_eq!(of(walk, Some(2)), ReadAhead::default());
        for text in [
            "{ backupServer(name: \"a\") { tapeLinkedJobs { nodes { job { name } } } } }",
            "{ jobs(filter: { health: [FAILED] }) { nodes { company { name } } } }",
            "{ jobs(after: \"x\") { nodes { company { name } } } }",
            "{ jobs { totalCount nodes { name } } }",
            "{ jobs { nodes { ... on VmBackupJob { objects { totalCount } } } } }",
        ] {
            assert_eq!(of(text, None), ReadAhead::default(), "{text}");
        }
        let objects = of(
            "{ backupServers { nodes { agentJobs { nodes { objects { totalCount } } } } } }",
            None,
        );
        assert_eq!(
            objects,
            ReadAhead {
                jobs: true,
                agent_objects: true,
                ..ReadAhead::default()
            }
        );
        let jobs = of(
            "{ jobs(orderBy: { field: NAME }, filter: null) { nodes { company { name } backupServer { name } } } }",
            None,
        );
        assert_eq!(
            jobs,
            ReadAhead {
                companies: true,
                servers: true,
                ..ReadAhead::default()
            }
        );
    }
}
