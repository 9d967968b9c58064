//! Fields that are selected twice in one place, made one.
//!
//! Frontends put a query together from fragments, one for each part of a page, and two of them
//! often want the same edge. By the specification that is one field with the members of both. The
//! library resolves it twice and puts the outcomes together, and rows that are ready JSON can't be
//! put together. So it is made one field before anything runs, wherever both are certain to be
//! meant of the same types.

use apollo_compiler::{Schema, ast::OperationType};
use async_graphql::{
    Name, Pos, Positioned,
    parser::types::{
        DocumentOperations, ExecutableDocument, Field, InlineFragment, Selection, SelectionSet,
        TypeCondition,
    },
};

/// A document that fits the schema, each field in it once where that can be.
pub(crate) fn merge(document: &ExecutableDocument, schema: &Schema) -> Option<ExecutableDocument> {
    let root = schema.root_operation(OperationType::Query)?;
    let mut merging = Merging {
        document,
        schema,
        sets: 0,
    };
    let mut merged = document.clone();
    let operations: Vec<_> = match &mut merged.operations {
        DocumentOperations::Single(operation) => vec![operation],
        DocumentOperations::Multiple(operations) => operations.values_mut().collect(),
    };
    for operation in operations {
        let selected = &mut operation.node.selection_set;
        *selected = merging.set(&[&selected.node.clone()], root);
    }
    Some(merged)
}

/// Whether a document selects some field with members of its own twice in one place.
pub(crate) fn puts_together(document: &ExecutableDocument, schema: &Schema) -> bool {
    let is_twice = |set: &Positioned<SelectionSet>| is_twice(document, schema, &set.node);
    document
        .operations
        .iter()
        .any(|(_, operation)| is_twice(&operation.node.selection_set))
}

fn is_twice(document: &ExecutableDocument, schema: &Schema, set: &SelectionSet) -> bool {
    let mut found = Vec::new();
    fields(document, schema, set, None, &mut found);
    found.iter().enumerate().any(|(place, (of, field))| {
        let is_again = |(of_other, other): &(Option<&Name>, &Field)| {
            // of two types, of which no row has both
            let is_apart = of.is_some() && of_other.is_some() && of != of_other;
            !is_apart && field.response_key().node == other.response_key().node
        };
        found[..place].iter().any(is_again) || is_twice(document, schema, &field.selection_set.node)
    })
}

/// Fields with members, each with the type that it is asked of, if that has no others below it.
fn fields<'d>(
    document: &'d ExecutableDocument,
    schema: &Schema,
    set: &'d SelectionSet,
    of: Option<&'d Name>,
    found: &mut Vec<(Option<&'d Name>, &'d Field)>,
) {
    let narrowed = |condition: &'d TypeCondition| {
        Some(&condition.on.node)
            .filter(|name| schema.get_object(name).is_some())
            .or(of)
    };
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) if field.node.selection_set.node.items.is_empty() => {}
            Selection::Field(field) => found.push((of, &field.node)),
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    fields(
                        document,
                        schema,
                        &fragment.node.selection_set.node,
                        narrowed(&fragment.node.type_condition.node),
                        found,
                    );
                }
            }
            Selection::InlineFragment(fragment) => {
                let of = fragment
                    .node
                    .type_condition
                    .as_ref()
                    .map_or(of, |condition| narrowed(&condition.node));
                fields(
                    document,
                    schema,
                    &fragment.node.selection_set.node,
                    of,
                    found,
                );
            }
        }
    }
}

struct Merging<'d> {
    document: &'d ExecutableDocument,
    schema: &'d Schema,
    /// How many sets were made.
    sets: usize,
}

/// Something selected, and for which type alone.
struct Entry<'d> {
    of: Option<&'d Name>,
    selected: Selected<'d>,
}

enum Selected<'d> {
    /// A field, with all that is selected of it.
    Field(&'d Positioned<Field>, Vec<&'d SelectionSet>),
    /// What may or may not be meant, as it stands.
    Other(&'d Positioned<Selection>),
}

impl<'d> Merging<'d> {
    /// One set of several, selected of the same type.
    fn set(&mut self, sets: &[&SelectionSet], of: &str) -> Positioned<SelectionSet> {
        let mut entries = Vec::new();
        for set in sets {
            self.collect(set, of, None, &mut entries);
        }
        let mut items: Vec<Positioned<Selection>> = Vec::new();
        for Entry {
            of: narrowed,
            selected,
        } in entries
        {
            let item = match selected {
                Selected::Other(other) => other.clone(),
                Selected::Field(field, below) => Positioned::new(
                    Selection::Field(self.field(field, &below, narrowed.map_or(of, Name::as_str))),
                    field.pos,
                ),
            };
            let Some(narrowed) = narrowed else {
                items.push(item);
                continue;
            };
            // what follows each other for the same type stays together
            if let Some(Selection::InlineFragment(last)) =
                items.last_mut().map(|last| &mut last.node)
                && last.node.directives.is_empty()
                && last
                    .node
                    .type_condition
                    .as_ref()
                    .is_some_and(|condition| condition.node.on.node == *narrowed)
            {
                last.node.selection_set.node.items.push(item);
                continue;
            }
            let pos = item.pos;
            let selection_set = self.place(vec![item]);
            let type_condition = Some(Positioned::new(
                TypeCondition {
                    on: Positioned::new(narrowed.clone(), pos),
                },
                pos,
            ));
            let fragment = InlineFragment {
                type_condition,
                directives: Vec::new(),
                selection_set,
            };
            items.push(Positioned::new(
                Selection::InlineFragment(Positioned::new(fragment, pos)),
                pos,
            ));
        }
        self.place(items)
    }

    /// A set at a position of its own: what is remembered of sets goes by their positions.
    fn place(&mut self, items: Vec<Positioned<Selection>>) -> Positioned<SelectionSet> {
        self.sets += 1;
        Positioned::new(
            SelectionSet { items },
            Pos {
                line: 0,
                column: self.sets,
            },
        )
    }

    fn field(
        &mut self,
        field: &Positioned<Field>,
        below: &[&SelectionSet],
        of: &str,
    ) -> Positioned<Field> {
        let Field {
            alias,
            name,
            arguments,
            directives,
            selection_set,
        } = &field.node;
        let selection_set = match self.schema.type_field(of, &name.node) {
            Ok(definition) if !selection_set.node.items.is_empty() => {
                let of = definition.ty.inner_named_type().clone();
                self.set(below, &of)
            }
            _ => selection_set.clone(),
        };
        let (alias, name, arguments, directives) = (
            alias.clone(),
            name.clone(),
            arguments.clone(),
            directives.clone(),
        );
        Positioned::new(
            Field {
                alias,
                name,
                arguments,
                directives,
                selection_set,
            },
            field.pos,
        )
    }

    fn collect<'s>(
        &self,
        set: &'s SelectionSet,
        of: &str,
        narrowed: Option<&'s Name>,
        entries: &mut Vec<Entry<'s>>,
    ) where
        'd: 's,
    {
        for selection in &set.items {
            let (condition, below) = match &selection.node {
                Selection::Field(field) if field.node.directives.is_empty() => {
                    let key = &field.node.response_key().node;
                    let below = &field.node.selection_set.node;
                    let known = entries
                        .iter_mut()
                        .filter(|entry| entry.of == narrowed)
                        .find_map(|entry| match &mut entry.selected {
                            Selected::Field(other, below)
                                if other.node.response_key().node == *key =>
                            {
                                Some(below)
                            }
                            _ => None,
                        });
                    match known {
                        Some(known) => known.push(below),
                        None => entries.push(Entry {
                            of: narrowed,
                            selected: Selected::Field(field, vec![below]),
                        }),
                    }
                    continue;
                }
                Selection::FragmentSpread(spread) if spread.node.directives.is_empty() => {
                    match self.document.fragments.get(&spread.node.fragment_name.node) {
                        Some(fragment) => (
                            Some(&fragment.node.type_condition.node.on.node),
                            &fragment.node.selection_set.node,
                        ),
                        None => continue,
                    }
                }
                Selection::InlineFragment(fragment) if fragment.node.directives.is_empty() => {
                    let condition = fragment
                        .node
                        .type_condition
                        .as_ref()
                        .map(|condition| &condition.node.on.node);
                    (condition, &fragment.node.selection_set.node)
                }
                _ => {
                    entries.push(Entry {
                        of: narrowed,
                        selected: Selected::Other(selection),
                    });
                    continue;
                }
            };
            let here = narrowed.map_or(of, Name::as_str);
            match condition {
                Some(condition)
                    if condition != here && !self.schema.is_subtype(condition, here) =>
                {
                    match narrowed {
                        None => self.collect(below, of, Some(condition), entries),
                        Some(_) => entries.push(Entry {
                            of: narrowed,
                            selected: Selected::Other(selection),
                        }),
                    }
                }
                _ => self.collect(below, of, narrowed, entries),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Validator, schema};
    use async_graphql::parser::parse_query;

    /// A document as text, without what stands for positions.
    fn said(set: &SelectionSet) -> String {
        let items = set.items.iter().map(|item| match &item.node {
            Selection::Field(field) if field.node.selection_set.node.items.is_empty() => {
                field.node.response_key().node.to_string()
            }
            Selection::Field(field) => format!(
                "{}{}",
                field.node.response_key().node,
                said(&field.node.selection_set.node)
            ),
            Selection::FragmentSpread(spread) => format!("...{}", spread.node.fragment_name.node),
            Selection::InlineFragment(fragment) => {
                let condition = fragment
                    .node
                    .type_condition
                    .as_ref()
                    .map(|condition| condition.node.on.node.as_str());
                format!(
                    "...on {}{}",
                    condition.unwrap_or("-"),
                    said(&fragment.node.selection_set.node)
                )
            }
        });
        format!("{{{}}}", items.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_field_that_is_selected_twice_is_one_where_both_are_certain() {
        let schema = Schema::parse_and_validate(schema(true).whole(), "schema.graphql").unwrap();
        for (text, expected, is_still_twice) in [
            (
                "{ jobs { nodes { name } } jobs { totalCount nodes { name uid } } }",
                "{jobs{nodes{name uid} totalCount}}",
                false,
            ),
            (
                "{ jobs { nodes { ...A uid ...B } } } fragment A on Job { company { name } } fragment B on Job { company { uid } name }",
                "{jobs{nodes{company{name uid} uid name}}}",
                false,
            ),
            // of an interface, of one type, and of one of that one
            (
                "{ jobs { nodes { ... on AgentJob { company { name } ... on Job { company { uid } } } kind ... on AgentJob { company { id } osType } } } }",
                "{jobs{nodes{...on AgentJob{company{name uid id}} kind ...on AgentJob{osType}}}}",
                false,
            ),
            // of types that no row has both
            (
                "{ jobs { nodes { ... on AgentJob { company { name } } ... on TapeJob { company { uid } } } } }",
                "{jobs{nodes{...on AgentJob{company{name}} ...on TapeJob{company{uid}}}}}",
                false,
            ),
            // not certain: of all, and of one type; or only where a variable says so
            (
                "{ jobs { nodes { company { name } ... on TapeJob { company { uid } } } } }",
                "{jobs{nodes{company{name} ...on TapeJob{company{uid}}}}}",
                true,
            ),
            (
                "query($v: Boolean!) { jobs { nodes { name } } ... @include(if: $v) { jobs { totalCount nodes { uid } } } }",
                "{jobs{nodes{name}} ...on -{jobs{totalCount nodes{uid}}}}",
                true,
            ),
            (
                "{ a: __schema { types { name } } a: __schema { types { kind } } }",
                "{a{types{name kind}}}",
                false,
            ),
        ] {
            let parsed = parse_query(text).unwrap();
            assert!(
                Validator::new(&crate::graph::schema(true))
                    .unwrap()
                    .fit(text, 1_000, 64)
                    .is_ok(),
                "{text}"
            );
            let merged = merge(&parsed, &schema).unwrap();
            let (_, operation) = merged.operations.iter().next().unwrap();
            assert_eq!(said(&operation.node.selection_set.node), expected);
            assert_eq!(puts_together(&merged, &schema), is_still_twice, "{text}");
        }
    }
}
