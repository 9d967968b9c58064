//! What a document comes to once every fragment is in its place.

use super::{Refusal, over};
use crate::graph::error::code;
use async_graphql::{
    Name, Positioned, Value, Variables,
    parser::types::{
        Directive, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, Selection,
        SelectionSet,
    },
};
use std::{collections::HashMap, convert::Infallible};

/// What a list without `first` counts for: the default page.
const DEFAULT_ROWS: u64 = 50;
/// Rows of a whole list that what is said in its arguments may be held against, all pages together:
/// of a field of `Query` those of the estate, below that those of a parent. What it comes to is
/// counted while it runs (limits.comparisons).
const ROWS_OF_ESTATE: u64 = 1_000;
const ROWS_OF_PARENT: u64 = ITEM;
/// What an item weighs at least, whatever it is for: it is read, put into a variable's place, and
/// made what it stands for, again in each field that names the variable. `limits.cost` has some
/// 78,000 of them, which take ten milliseconds or so.
const ITEM: u64 = 64;
/// Bytes of text that weigh as much as one item more.
const TEXT_BYTES: usize = 128;

/// How often a document may select a field of rows under other names for nothing more: who shows
/// rows asks a few things of each in several ways.
const ALIASES: u64 = 10;
/// What each further one weighs, times the rows: about what a list of a row takes to be made. Fifty
/// aliases of one list, of fifty rows, take forty times the CPU of an honest question.
const ALIAS: u64 = 2_500;

/// How much of everything there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Complexity {
    /// Fields at this level.
    pub width: u64,
    /// Fields at every level.
    pub fields: u64,
    /// Fields, times the rows that they may be asked of.
    pub cost: u64,
    /// The part of the cost that is for the schema itself.
    pub schema_cost: u64,
    /// Fields with another name.
    pub aliases: u64,
    /// `@…`.
    pub directives: u64,
    /// Whether the schema itself is asked for.
    pub is_introspection: bool,
    /// Whether `nodes` or `edges` are among the fields at this level.
    gives_rows: bool,
}

impl Complexity {
    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            width: self.width.saturating_add(other.width),
            fields: self.fields.saturating_add(other.fields),
            cost: self.cost.saturating_add(other.cost),
            schema_cost: self.schema_cost.saturating_add(other.schema_cost),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            is_introspection: self.is_introspection || other.is_introspection,
            gives_rows: self.gives_rows || other.gives_rows,
        }
    }
}

/// What a field is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Query,
    Row,
    Schema,
}

/// Weighs selections; each fragment once.
pub(super) struct Weigher<'d> {
    fragments: &'d HashMap<Name, Positioned<FragmentDefinition>>,
    variables: &'d Variables,
    known: HashMap<&'d Name, Complexity>,
    open: Vec<&'d Name>,
    /// How deep the walk is in selections and fragments together: it must not outgrow the stack.
    depth: usize,
    max_depth: usize,
    /// Items in the variables that were counted.
    in_variables: HashMap<Name, u64>,
    /// How often a field of rows was selected under another name.
    aliases: HashMap<&'d Name, u64>,
}

impl<'d> Weigher<'d> {
    pub fn new(
        document: &'d ExecutableDocument,
        variables: &'d Variables,
        max_depth: usize,
    ) -> Self {
        Self {
            fragments: &document.fragments,
            variables,
            known: HashMap::new(),
            open: Vec::new(),
            depth: 0,
            max_depth,
            in_variables: HashMap::new(),
            aliases: HashMap::new(),
        }
    }

    pub fn operation(&mut self, operation: &'d OperationDefinition) -> Result<Complexity, Refusal> {
        self.aliases.clear();
        let complexity = self.selections(&operation.selection_set.node, Of::Query)?;
        Ok(Complexity {
            directives: complexity
                .directives
                .saturating_add(count(&operation.directives)),
            ..complexity
        })
    }

    /// Fragments that no operation spreads are validated all the same.
    pub fn unused_fragments(&mut self) -> Result<Complexity, Refusal> {
        let mut sum = Complexity::default();
        for name in self.fragments.keys() {
            if !self.known.contains_key(name) {
                sum = sum.plus(self.fragment(name, Of::Row)?);
            }
        }
        Ok(sum)
    }

    fn selections(&mut self, selection: &'d SelectionSet, of: Of) -> Result<Complexity, Refusal> {
        if self.depth >= self.max_depth {
            let found = u64::try_from(self.depth)
                .unwrap_or(u64::MAX)
                .saturating_add(1);
            return Err(over(
                "depth",
                "selections within each other, fragments included",
                found,
                found - 1,
            ));
        }
        self.depth += 1;
        let mut sum = Complexity::default();
        for item in &selection.items {
            sum = sum.plus(match &item.node {
                Selection::Field(field) => self.field(&field.node, of)?,
                Selection::InlineFragment(fragment) => {
                    let inner = self.selections(&fragment.node.selection_set.node, of)?;
                    Complexity {
                        directives: inner
                            .directives
                            .saturating_add(count(&fragment.node.directives)),
                        ..inner
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let inner = self.fragment(&spread.node.fragment_name.node, of)?;
                    Complexity {
                        directives: inner
                            .directives
                            .saturating_add(count(&spread.node.directives)),
                        ..inner
                    }
                }
            });
        }
        self.depth -= 1;
        Ok(sum)
    }

    fn field(&mut self, field: &'d Field, of: Of) -> Result<Complexity, Refusal> {
        let opens_schema = matches!(field.name.node.as_str(), "__schema" | "__type" | "_service");
        let below = if opens_schema || of == Of::Schema {
            Of::Schema
        } else {
            Of::Row
        };
        let inner = self.selections(&field.selection_set.node, below)?;
        let rows = if of == Of::Schema {
            members_of_schema(&field.name.node)
        } else {
            self.rows(field, inner.gives_rows)
        };
        let compared = self.compared(field, of);
        let cost = inner
            .cost
            .saturating_mul(rows)
            .saturating_add(1)
            .saturating_add(compared)
            .saturating_add(self.repeated(field, of));
        Ok(Complexity {
            width: 1,
            fields: inner.fields.saturating_add(1),
            cost,
            schema_cost: if opens_schema {
                cost
            } else {
                inner.schema_cost.saturating_mul(rows)
            },
            aliases: inner
                .aliases
                .saturating_add(u64::from(field.alias.is_some())),
            directives: inner.directives.saturating_add(count(&field.directives)),
            is_introspection: inner.is_introspection || opens_schema,
            gives_rows: matches!(field.name.node.as_str(), "nodes" | "edges"),
        })
    }

    /// How many rows a list field may have.
    fn rows(&self, field: &Field, is_connection: bool) -> u64 {
        let of_variable = |name: Name| {
            Ok::<_, Infallible>(self.variables.get(&name).cloned().unwrap_or_default())
        };
        let asked = field
            .arguments
            .iter()
            .find_map(|(name, value)| match name.node.as_str() {
                "first" => match value.node.clone().into_const_with(of_variable) {
                    Ok(Value::Number(number)) => {
                        Some(number.as_u64().unwrap_or(DEFAULT_ROWS).max(1))
                    }
                    _ => Some(DEFAULT_ROWS),
                },
                // one row each
                "ids" | "representations" => {
                    match value.node.clone().into_const_with(of_variable) {
                        Ok(Value::List(ids)) => u64::try_from(ids.len().max(1)).ok(),
                        _ => Some(1),
                    }
                }
                _ => None,
            });
        // a list without pages: a point for each day or so that an upstream remembers
        let is_list = is_connection || field.name.node == "durationTrend";
        asked.unwrap_or(if is_list { DEFAULT_ROWS } else { 1 })
    }

    /// What a field of rows weighs more because the document has it under many names.
    fn repeated(&mut self, field: &'d Field, of: Of) -> u64 {
        let is_plain = field.arguments.is_empty() && field.selection_set.node.items.is_empty();
        if of != Of::Row || field.alias.is_none() || is_plain {
            return 0;
        }
        let count = self.aliases.entry(&field.name.node).or_default();
        *count += 1;
        if *count > ALIASES { ALIAS } else { 0 }
    }

    /// What is said in a field's arguments, times the rows that it may be held against.
    fn compared(&mut self, field: &'d Field, of: Of) -> u64 {
        let rows = match of {
            Of::Query => ROWS_OF_ESTATE,
            Of::Row => ROWS_OF_PARENT,
            Of::Schema => 1,
        };
        let mut sum = 0u64;
        for (name, value) in &field.arguments {
            let mut found = 0u64;
            let of_variable = |name| {
                found = found.saturating_add(self.items_of_variable(name));
                Ok::<_, Infallible>(Value::Null)
            };
            let Ok(constant) = value.node.clone().into_const_with(of_variable);
            let items = items(&constant).saturating_add(found);
            // which rows these are of is said in themselves
            let rows = if matches!(
                name.node.as_str(),
                "first" | "after" | "ids" | "representations"
            ) {
                ITEM
            } else {
                rows
            };
            sum = sum.saturating_add(items.saturating_mul(rows));
        }
        sum
    }

    /// How many items of a variable's value there are; counted once however often it is used.
    fn items_of_variable(&mut self, name: Name) -> u64 {
        let variables = self.variables;
        *self
            .in_variables
            .entry(name)
            .or_insert_with_key(|name| variables.get(name).map_or(0, items))
    }

    fn fragment(&mut self, name: &Name, of: Of) -> Result<Complexity, Refusal> {
        let Some((name, fragment)) = self.fragments.get_key_value(name) else {
            return Ok(Complexity::default());
        };
        if let Some(complexity) = self.known.get(name) {
            return Ok(*complexity);
        }
        if self.open.contains(&name) {
            let message = format!("The fragment {name:?} spreads itself.");
            return Err(Refusal {
                code: code::QUERY_TOO_COMPLEX,
                message,
            });
        }
        self.open.push(name);
        // of the schema's own types, whose names begin so
        let of = match fragment.node.type_condition.node.on.node.as_str() {
            "Query" => Of::Query,
            name if name.starts_with("__") || of == Of::Schema => Of::Schema,
            _ => Of::Row,
        };
        let complexity = self.selections(&fragment.node.selection_set.node, of)?;
        let complexity = Complexity {
            directives: complexity
                .directives
                .saturating_add(count(&fragment.node.directives)),
            ..complexity
        };
        self.open.pop();
        self.known.insert(name, complexity);
        Ok(complexity)
    }
}

/// Items of lists and objects, at every level; none in what is neither, but for its length.
fn items(value: &Value) -> u64 {
    let sum = |found: u64, value: &Value| found.saturating_add(items(value)).saturating_add(1);
    match value {
        Value::List(values) => values.iter().fold(0, sum),
        Value::Object(members) => members.values().fold(0, sum),
        Value::String(text) => items_of_text(text),
        _ => 0,
    }
}

fn items_of_text(text: &str) -> u64 {
    u64::try_from(text.len() / TEXT_BYTES).unwrap_or(u64::MAX)
}

fn count(directives: &[Positioned<Directive>]) -> u64 {
    u64::try_from(directives.len()).unwrap_or(u64::MAX)
}

/// About how many there are in this schema.
fn members_of_schema(field: &Name) -> u64 {
    match field.as_str() {
        "types" => 150,
        "fields" | "inputFields" | "enumValues" => 20,
        "directives" | "locations" => 5,
        "args" | "possibleTypes" | "interfaces" => 2,
        _ => 1,
    }
}
