//! What is selected, in full: fragments in their places, variables as their values, what is skipped
//! left out. Two selections that say the same are answered with the same.

use async_graphql::{
    Name, Positioned, Value, Variables,
    parser::types::{Directive, Field, FragmentDefinition, Selection, SelectionSet},
};
use std::{collections::HashMap, fmt::Write};

/// More text than this is not worth it.
const MOST: usize = 16 << 10;

/// A document's fragments and the variables that it is run with.
pub(crate) struct SelectionKey<'a> {
    pub fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    pub variables: &'a Variables,
}

impl<'a> SelectionKey<'a> {
    /// A selection of members.
    pub fn set(&self, set: &SelectionSet) -> Option<String> {
        let mut text = String::new();
        self.say_set(set, &mut text)?;
        Some(text)
    }

    /// One field, whatever it is called in the answer.
    pub fn field(&self, field: &Field) -> Option<String> {
        let mut text = String::new();
        self.say_field(field, &mut text)?;
        Some(text)
    }

    /// The fields of a type that has no other types beside it, as an answer has them. None where
    /// one is selected twice.
    pub fn fields(&self, set: &'a SelectionSet) -> Option<Vec<&'a Positioned<Field>>> {
        let mut found = Vec::new();
        self.collect(set, &mut found)?;
        Some(found)
    }

    fn collect(&self, set: &'a SelectionSet, found: &mut Vec<&'a Positioned<Field>>) -> Option<()> {
        for selection in &set.items {
            if !self.is_selected(directives(&selection.node))? {
                continue;
            }
            match &selection.node {
                Selection::Field(field) => {
                    let key = field.node.response_key();
                    if found
                        .iter()
                        .any(|other| other.node.response_key().node == key.node)
                    {
                        return None;
                    }
                    found.push(field);
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = self.fragments.get(&spread.node.fragment_name.node)?;
                    self.collect(&fragment.node.selection_set.node, found)?;
                }
                Selection::InlineFragment(fragment) => {
                    self.collect(&fragment.node.selection_set.node, found)?
                }
            }
        }
        Some(())
    }

    fn say_set(&self, set: &SelectionSet, text: &mut String) -> Option<()> {
        text.push('{');
        for selection in &set.items {
            if !self.is_selected(directives(&selection.node))? {
                continue;
            }
            match &selection.node {
                Selection::Field(field) => {
                    let _ = write!(text, " {}:", field.node.response_key().node);
                    self.say_field(&field.node, text)?;
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = &self.fragments.get(&spread.node.fragment_name.node)?.node;
                    let _ = write!(text, " ...{}", fragment.type_condition.node.on.node);
                    self.say_set(&fragment.selection_set.node, text)?;
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment
                        .node
                        .type_condition
                        .as_ref()
                        .map_or("", |condition| condition.node.on.node.as_str());
                    let _ = write!(text, " ...{condition}");
                    self.say_set(&fragment.node.selection_set.node, text)?;
                }
            }
        }
        text.push('}');
        (text.len() <= MOST).then_some(())
    }

    fn say_field(&self, field: &Field, text: &mut String) -> Option<()> {
        text.push_str(&field.name.node);
        for (name, value) in &field.arguments {
            // a variable that is not given is not the same as null
            let value = value
                .node
                .clone()
                .into_const_with(|name| self.variables.get(&name).cloned().ok_or(name));
            match value {
                Ok(value) => write!(text, "({}={value})", name.node).ok()?,
                Err(_) => write!(text, "({}?)", name.node).ok()?,
            }
        }
        if !field.selection_set.node.items.is_empty() {
            self.say_set(&field.selection_set.node, text)?;
        }
        (text.len() <= MOST).then_some(())
    }

    /// What `@skip` and `@include` say; none where something else is said.
    fn is_selected(&self, directives: &[Positioned<Directive>]) -> Option<bool> {
        let mut is_selected = true;
        for directive in directives {
            let condition = directive.node.get_argument("if")?.node.clone();
            let condition =
                condition.into_const_with(|name| self.variables.get(&name).cloned().ok_or(name));
            is_selected &= match (directive.node.name.node.as_str(), condition) {
                ("include", Ok(Value::Boolean(condition))) => condition,
                ("skip", Ok(Value::Boolean(condition))) => !condition,
                _ => return None,
            };
        }
        Some(is_selected)
    }
}

fn directives(selection: &Selection) -> &[Positioned<Directive>] {
    match selection {
        Selection::Field(field) => &field.node.directives,
        Selection::FragmentSpread(spread) => &spread.node.directives,
        Selection::InlineFragment(fragment) => &fragment.node.directives,
    }
}
