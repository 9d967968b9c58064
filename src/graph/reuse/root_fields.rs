//! The fields of a query, given out as ready JSON where they were written before.
//!
//! An answer that is not known word for word is often made of parts that are: a page's header
//! beside its table, the same list asked for by another operation. A field of `Query` is kept as
//! rows are (`estate/render_cache.rs`): by what is selected of it in full, and for as long as all that
//! its request read is current. Fields that are known are left out of what is executed; where all
//! are, nothing is.

use super::{
    rows::{write_members, write_value},
    selection_key::SelectionKey,
};
use crate::estate::{
    Dependencies,
    render_cache::{RenderCache, RenderedValue, ReuseSession},
};
use async_graphql::{
    Name, Positioned, Value, Variables,
    parser::types::{ExecutableDocument, Field, OperationDefinition, Selection},
};
use bytes::Bytes;
use std::sync::Arc;

/// What one operation asks of `Query`, in the order of its answer, with the variables that it is
/// run with.
#[derive(Debug)]
pub struct RootSelections(Box<[RootSelection]>);

#[derive(Debug)]
struct RootSelection {
    /// What the field is called in the answer.
    key: Name,
    /// What is selected of it.
    number: u64,
}

impl RootSelections {
    /// None where what is selected can't be said.
    pub fn of(
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        variables: &Variables,
        fragments: &RenderCache,
    ) -> Option<Self> {
        let saying = SelectionKey {
            fragments: &document.fragments,
            variables,
        };
        let selection = |field: &Positioned<Field>| {
            let number = fragments.selection(&saying.field(&field.node)?);
            Some(RootSelection {
                key: field.node.response_key().node.clone(),
                number,
            })
        };
        saying
            .fields(&operation.selection_set.node)?
            .into_iter()
            .map(selection)
            .collect::<Option<_>>()
            .map(Self)
    }
}

/// The fields of one answer, and what is known of them.
pub struct RootFields<'s> {
    fields: Vec<RootField<'s>>,
}

struct RootField<'s> {
    selection: &'s RootSelection,
    known: Option<(RenderedValue, Arc<Dependencies>)>,
}

impl<'s> RootFields<'s> {
    /// The fields, those that are known with what they are; those together have no more than `most`
    /// fields.
    pub fn recall(selections: &'s RootSelections, reuse: &ReuseSession, most: u64) -> Self {
        let field = |selection: &'s RootSelection| RootField {
            selection,
            known: reuse.recall(selection.number),
        };
        let mut fields = Self {
            fields: selections.0.iter().map(field).collect(),
        };
        // then it is for the execution to say how many there may be
        if fields.known_fields() > most {
            fields
                .fields
                .iter_mut()
                .for_each(|field| field.known = None);
        }
        fields
    }

    /// Whether nothing has to be executed.
    pub fn are_known(&self) -> bool {
        self.fields.iter().all(|field| field.known.is_some())
    }

    /// How many fields of the answer are known.
    pub fn known_fields(&self) -> u64 {
        self.known()
            .map(|(fragment, _)| fragment.fields)
            .fold(0, u64::saturating_add)
    }

    /// How many bytes those that are known take.
    pub fn bytes(&self) -> usize {
        let name = |field: &RootField<'_>| field.selection.key.len() + "\"\":,".len();
        self.fields
            .iter()
            .filter_map(|field| Some(field.known.as_ref()?.0.packed.len() + name(field)))
            .sum()
    }

    /// What those that are known were made from.
    pub fn dependencies(&self) -> impl Iterator<Item = &Arc<Dependencies>> {
        self.known().map(|(_, dependencies)| dependencies)
    }

    fn known(&self) -> impl Iterator<Item = &(RenderedValue, Arc<Dependencies>)> {
        self.fields.iter().filter_map(|field| field.known.as_ref())
    }

    /// Leaves what is known out of the operation, which is of that document.
    pub fn leave_out_known(
        &self,
        document: &ExecutableDocument,
        variables: &Variables,
        operation: &mut OperationDefinition,
    ) {
        let saying = SelectionKey {
            fragments: &document.fragments,
            variables,
        };
        let fields = saying
            .fields(&operation.selection_set.node)
            .filter(|_| self.known().next().is_some());
        if let Some(fields) = fields {
            let unknown = fields
                .into_iter()
                .zip(&self.fields)
                .filter(|(_, field)| field.known.is_none());
            operation.selection_set.node.items = unknown
                .map(|(field, _)| Positioned::new(Selection::Field(field.clone()), field.pos))
                .collect();
        }
    }

    /// Writes the data of an answer: what is known, and of `executed` what is not, which is handed
    /// to `reuse`.
    pub fn write(&self, executed: &Value, reuse: &ReuseSession, json: &mut Vec<u8>) {
        reuse.gives_again(self.known().count());
        // an error took all of it
        let members = match executed {
            Value::Object(members) => Some(members),
            _ if self.are_known() => None,
            _ => return write_value(executed, json, &mut 0),
        };
        let named = self
            .fields
            .iter()
            .map(|field| (&field.selection.key, field));
        write_members(named, json, |field, json| {
            if let Some((fragment, _)) = &field.known {
                json.extend_from_slice(&fragment.packed);
                return;
            }
            let (begin, mut fields) = (json.len(), 0);
            write_value(
                members
                    .and_then(|members| members.get(&field.selection.key))
                    .unwrap_or(&Value::Null),
                json,
                &mut fields,
            );
            let fragment = RenderedValue {
                packed: Bytes::copy_from_slice(&json[begin..]),
                fields,
            };
            reuse.made_query_field(field.selection.number, fragment);
        });
    }
}
