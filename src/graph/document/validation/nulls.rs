//! Nulls where errors belong.
//!
//! A field that can't be null and fails makes its parent null. The library runs a field that is
//! selected twice once for each selection and puts the outcomes together, so a parent that one of
//! them made null is put together with one that is not. By the specification it is one field, and
//! null.

use apollo_compiler::{
    ExecutableDocument, Node,
    ast::Type,
    executable::{Field, Operation, Selection, SelectionSet},
};
use async_graphql::{Name, PathSegment, Value};

/// Sets the nearest place to null that may be null, at or above the place of an error.
pub(crate) fn settle(
    data: &mut Value,
    path: &[PathSegment],
    document: &ExecutableDocument,
    operation: &Operation,
) {
    let Some(length) = nearest_nullable(path, document, operation) else {
        *data = Value::Null;
        return;
    };
    let mut at = data;
    for segment in &path[..length] {
        let next = match (segment, at) {
            (PathSegment::Field(name), Value::Object(members)) => members.get_mut(&Name::new(name)),
            (PathSegment::Index(index), Value::List(items)) => items.get_mut(*index),
            // a null above it: settled already
            _ => None,
        };
        let Some(next) = next else { return };
        at = next;
    }
    *at = Value::Null;
}

/// How much of the path leads there; `None` for the answer as a whole.
fn nearest_nullable(
    path: &[PathSegment],
    document: &ExecutableDocument,
    operation: &Operation,
) -> Option<usize> {
    let mut within: Vec<&SelectionSet> = vec![&operation.selection_set];
    let mut expected: Option<&Type> = None;
    let mut nearest = None;
    for (place, segment) in path.iter().enumerate() {
        expected = match segment {
            PathSegment::Index(_) => expected.map(Type::item_type),
            PathSegment::Field(name) => {
                let mut fields = Vec::new();
                within
                    .iter()
                    .for_each(|selections| collect(selections, name, document, &mut fields, 0));
                within = fields.iter().map(|field| &field.selection_set).collect();
                // fields of one name in the answer are of one shape
                fields.first().map(|field| &field.definition.ty)
            }
        };
        match expected {
            Some(of_place) if !of_place.is_non_null() => nearest = Some(place + 1),
            Some(_) => {}
            // an unknown place: nothing is known below it either
            None => break,
        }
    }
    nearest
}

/// Fragments within each other: validation allows no circles, and the guard no depth beyond this.
const MAX_DEPTH: usize = 256;

fn collect<'d>(
    selections: &'d SelectionSet,
    name: &str,
    document: &'d ExecutableDocument,
    found: &mut Vec<&'d Node<Field>>,
    depth: usize,
) {
    if depth > MAX_DEPTH {
        return;
    }
    for selection in &selections.selections {
        match selection {
            Selection::Field(field) if field.response_key() == name => found.push(field),
            Selection::Field(_) => {}
            Selection::InlineFragment(fragment) => {
                collect(&fragment.selection_set, name, document, found, depth + 1)
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.fragment_name) {
                    collect(&fragment.selection_set, name, document, found, depth + 1);
                }
            }
        }
    }
}
