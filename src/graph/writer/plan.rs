//! What is written for an object of one type, in the order of the answer: a selection without
//! fragments and duplicates.

use async_graphql::{
    ContextSelectionSet, Name, Positioned,
    parser::types::{Field, FragmentDefinition, Selection, SelectionSet},
    registry::Registry,
};
use std::collections::HashMap;

/// One selection of one type. `@skip` and `@include` are applied before anything is executed.
pub(crate) struct Plan {
    /// The members, in their order.
    pub steps: Box<[Step]>,
    /// What comes after the last of them.
    pub end: &'static [u8],
}

/// One member of the object.
pub(crate) struct Step {
    /// What precedes its value, or all of it.
    pub text: Box<[u8]>,
    /// Where its value is from.
    pub action: Action,
    /// The way to the field: places within selections and the fragments in them.
    way: Box<[u16]>,
}

/// Where a value is from.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    /// It is part of the text: the name of the type.
    Said,
    /// A field with this number that is written directly.
    Write(u16),
    /// The field's resolver.
    Resolve,
}

impl Plan {
    /// None where the general executor has to go through the selection: a directive that is not the
    /// specification's, or a field with members that is selected twice.
    pub fn compile(
        ctx: &ContextSelectionSet<'_>,
        type_name: &str,
        number: impl Fn(&str) -> Option<u16>,
    ) -> Option<Self> {
        let mut collecting = Collecting {
            fragments: &ctx.query_env.fragments,
            registry: &ctx.schema_env.registry,
            type_name,
            way: Vec::new(),
            found: Vec::new(),
        };
        collecting.set(&ctx.item.node)?;
        let mut steps: Vec<Step> = Vec::with_capacity(collecting.found.len());
        for (field, way) in collecting.found {
            let Field {
                name,
                arguments,
                selection_set,
                ..
            } = field;
            let mut text = vec![if steps.is_empty() { b'{' } else { b',' }, b'"'];
            // a name of GraphQL has nothing in it that JSON would escape
            text.extend_from_slice(field.response_key().node.as_bytes());
            text.extend_from_slice(b"\":");
            let is_leaf = selection_set.node.items.is_empty() && arguments.is_empty();
            let action = if name.node == "__typename" {
                text.extend_from_slice(format!("\"{type_name}\"").as_bytes());
                Action::Said
            } else {
                number(&name.node)
                    .filter(|_| is_leaf)
                    .map_or(Action::Resolve, Action::Write)
            };
            steps.push(Step {
                text: text.into(),
                action,
                way,
            });
        }
        Some(Self {
            end: if steps.is_empty() { b"{}" } else { b"}" },
            steps: steps.into(),
        })
    }

    /// The members in their order, each with its field in the selection, which is the one that the
    /// plan was made of.
    pub fn fields<'a>(&self, ctx: &ContextSelectionSet<'a>) -> Option<Vec<&'a Positioned<Field>>> {
        let field = |step: &Step| {
            let mut set = &ctx.item.node;
            for place in &step.way {
                set = match &set.items.get(usize::from(*place))?.node {
                    Selection::Field(field) => return Some(field),
                    Selection::InlineFragment(fragment) => &fragment.node.selection_set.node,
                    Selection::FragmentSpread(spread) => {
                        let fragments = &ctx.query_env.fragments;
                        &fragments
                            .get(&spread.node.fragment_name.node)?
                            .node
                            .selection_set
                            .node
                    }
                };
            }
            None
        };
        self.steps.iter().map(field).collect()
    }
}

struct Collecting<'d> {
    fragments: &'d HashMap<Name, Positioned<FragmentDefinition>>,
    registry: &'d Registry,
    type_name: &'d str,
    way: Vec<u16>,
    found: Vec<(&'d Field, Box<[u16]>)>,
}

impl<'d> Collecting<'d> {
    fn set(&mut self, set: &'d SelectionSet) -> Option<()> {
        for (place, selection) in set.items.iter().enumerate() {
            self.way.push(u16::try_from(place).ok()?);
            match &selection.node {
                Selection::Field(field) => self.field(&field.node)?,
                Selection::FragmentSpread(spread) => {
                    let fragment = &self.fragments.get(&spread.node.fragment_name.node)?.node;
                    if self.is_of(&fragment.type_condition.node.on.node) {
                        self.set(&fragment.selection_set.node)?;
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    if condition.is_none_or(|condition| self.is_of(&condition.node.on.node)) {
                        self.set(&fragment.node.selection_set.node)?;
                    }
                }
            }
            self.way.pop();
        }
        Some(())
    }

    fn field(&mut self, field: &'d Field) -> Option<()> {
        if !field.directives.is_empty() {
            return None;
        }
        let key = &field.response_key().node;
        let again = self
            .found
            .iter()
            .find(|(other, _)| other.response_key().node == *key);
        match again {
            None => self.found.push((field, self.way.as_slice().into())),
            // validation saw to it that both are the same field
            Some(_) if field.selection_set.node.items.is_empty() => {}
            Some(_) => return None,
        }
        Some(())
    }

    /// Whether a fragment on that type is about the object.
    fn is_of(&self, condition: &str) -> bool {
        let implemented = || self.registry.implements.get(self.type_name);
        self.type_name == condition
            || implemented().is_some_and(|interfaces| interfaces.contains(condition))
    }
}
