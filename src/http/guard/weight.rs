//! What a document comes to once every fragment is in its place.

use super::{Refusal, over};
use crate::graph::error::code;
use async_graphql::{
    Name, Positioned, Value, Variables,
    parser::types::{Directive, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet},
};
use std::{collections::HashMap, convert::Infallible};

/// What a list without `first` counts for: the default page.
const DEFAULT_ROWS: u64 = 50;

/// How much of everything there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
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

impl Weight {
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

/// Weighs selections; each fragment once.
pub(super) struct Weigher<'d> {
    fragments: &'d HashMap<Name, Positioned<FragmentDefinition>>,
    variables: &'d Variables,
    known: HashMap<&'d Name, Weight>,
    open: Vec<&'d Name>,
    /// How deep the walk is in selections and fragments together: it must not outgrow the stack.
    depth: usize,
    max_depth: usize,
}

impl<'d> Weigher<'d> {
    pub fn new(document: &'d ExecutableDocument, variables: &'d Variables, max_depth: usize) -> Self {
        Self { fragments: &document.fragments, variables, known: HashMap::new(), open: Vec::new(), depth: 0, max_depth }
    }

    pub fn operation(&mut self, operation: &'d OperationDefinition) -> Result<Weight, Refusal> {
        let weight = self.selections(&operation.selection_set.node, false)?;
        Ok(Weight { directives: weight.directives.saturating_add(count(&operation.directives)), ..weight })
    }

    /// Fragments that no operation spreads are validated all the same.
    pub fn unused_fragments(&mut self) -> Result<Weight, Refusal> {
        let mut sum = Weight::default();
        for name in self.fragments.keys() {
            if !self.known.contains_key(name) {
                sum = sum.plus(self.fragment(name, false)?);
            }
        }
        Ok(sum)
    }

    fn selections(&mut self, selection: &'d SelectionSet, of_schema: bool) -> Result<Weight, Refusal> {
        if self.depth >= self.max_depth {
            let found = u64::try_from(self.depth).unwrap_or(u64::MAX).saturating_add(1);
            return Err(over("depth", "selections within each other, fragments included", found, found - 1));
        }
        self.depth += 1;
        let mut sum = Weight::default();
        for item in &selection.items {
            sum = sum.plus(match &item.node {
                Selection::Field(field) => self.field(&field.node, of_schema)?,
                Selection::InlineFragment(fragment) => {
                    let inner = self.selections(&fragment.node.selection_set.node, of_schema)?;
                    Weight { directives: inner.directives.saturating_add(count(&fragment.node.directives)), ..inner }
                }
                Selection::FragmentSpread(spread) => {
                    let inner = self.fragment(&spread.node.fragment_name.node, of_schema)?;
                    Weight { directives: inner.directives.saturating_add(count(&spread.node.directives)), ..inner }
                }
            });
        }
        self.depth -= 1;
        Ok(sum)
    }

    fn field(&mut self, field: &'d Field, of_schema: bool) -> Result<Weight, Refusal> {
        let opens_schema = matches!(field.name.node.as_str(), "__schema" | "__type");
        let inner = self.selections(&field.selection_set.node, of_schema || opens_schema)?;
        let rows = if of_schema { members_of_schema(&field.name.node) } else { self.rows(field, inner.gives_rows) };
        let cost = inner.cost.saturating_mul(rows).saturating_add(1);
        Ok(Weight {
            width: 1,
            fields: inner.fields.saturating_add(1),
            cost,
            schema_cost: if opens_schema { cost } else { inner.schema_cost.saturating_mul(rows) },
            aliases: inner.aliases.saturating_add(u64::from(field.alias.is_some())),
            directives: inner.directives.saturating_add(count(&field.directives)),
            is_introspection: inner.is_introspection || opens_schema,
            gives_rows: matches!(field.name.node.as_str(), "nodes" | "edges"),
        })
    }

    /// How many rows a list field may have.
    fn rows(&self, field: &Field, is_connection: bool) -> u64 {
        let of_variable = |name: Name| Ok::<_, Infallible>(self.variables.get(&name).cloned().unwrap_or_default());
        let asked = field.arguments.iter().find_map(|(name, value)| match name.node.as_str() {
            "first" => match value.node.clone().into_const_with(of_variable) {
                Ok(Value::Number(number)) => Some(number.as_u64().unwrap_or(DEFAULT_ROWS).max(1)),
                _ => Some(DEFAULT_ROWS),
            },
            // one row each
            "ids" | "representations" => match value.node.clone().into_const_with(of_variable) {
                Ok(Value::List(ids)) => u64::try_from(ids.len().max(1)).ok(),
                _ => Some(1),
            },
            _ => None,
        });
        asked.unwrap_or(if is_connection { DEFAULT_ROWS } else { 1 })
    }

    fn fragment(&mut self, name: &Name, of_schema: bool) -> Result<Weight, Refusal> {
        let Some((name, fragment)) = self.fragments.get_key_value(name) else { return Ok(Weight::default()) };
        if let Some(weight) = self.known.get(name) {
            return Ok(*weight);
        }
        if self.open.contains(&name) {
            let message = format!("The fragment {name:?} spreads itself.");
            return Err(Refusal { code: code::QUERY_TOO_COMPLEX, message });
        }
        self.open.push(name);
        // of the schema's own types, whose names begin so
        let of_schema = of_schema || fragment.node.type_condition.node.on.node.starts_with("__");
        let weight = self.selections(&fragment.node.selection_set.node, of_schema)?;
        let weight = Weight { directives: weight.directives.saturating_add(count(&fragment.node.directives)), ..weight };
        self.open.pop();
        self.known.insert(name, weight);
        Ok(weight)
    }
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
