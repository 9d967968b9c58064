//! The fields of a query, given out as ready JSON where they were written before.
//!
//! An answer that is not known word for word is often made of parts that are: a page's header beside its table, the same
//! list asked for by another operation. A field of `Query` is kept as rows are (`estate/fragments.rs`): by what is selected
//! of it in full, and for as long as all that its request read is current. Fields that are known are left out of what is
//! executed; where all are, nothing is.

use super::{
    rows::{write_members, write_value},
    said::Saying,
};
use crate::estate::{
    Sources,
    fragments::{Fragment, Recollection},
};
use async_graphql::{
    Positioned, Value, Variables,
    parser::types::{ExecutableDocument, Field, OperationDefinition, Selection},
};
use bytes::Bytes;
use std::sync::Arc;

/// The fields of one operation, in the order of its answer.
pub struct RootFields<'d> {
    fields: Vec<RootField<'d>>,
}

struct RootField<'d> {
    field: &'d Positioned<Field>,
    selection: u64,
    known: Option<(Fragment, Arc<Sources>)>,
}

impl<'d> RootFields<'d> {
    /// The fields, those that are known with what they are; those together have no more than `most` fields. None where
    /// what is selected can't be said.
    pub fn recall(
        document: &'d ExecutableDocument,
        operation: &'d OperationDefinition,
        variables: &'d Variables,
        recollection: &Recollection,
        most: u64,
    ) -> Option<Self> {
        let saying = Saying { fragments: &document.fragments, variables };
        let mut fields = Vec::new();
        for field in saying.fields(&operation.selection_set.node)? {
            let selection = recollection.number(&saying.field(&field.node)?);
            let known = recollection.recall(selection);
            fields.push(RootField { field, selection, known });
        }
        let mut fields = Self { fields };
        // then it is for the execution to say how many there may be
        if fields.known_fields() > most {
            fields.fields.iter_mut().for_each(|field| field.known = None);
        }
        Some(fields)
    }

    /// Whether nothing has to be executed.
    pub fn are_known(&self) -> bool {
        self.fields.iter().all(|field| field.known.is_some())
    }

    /// How many fields of the answer are known.
    pub fn known_fields(&self) -> u64 {
        self.known().map(|(fragment, _)| fragment.fields).fold(0, u64::saturating_add)
    }

    /// How many bytes those that are known take.
    pub fn bytes(&self) -> usize {
        let name = |field: &RootField<'_>| field.field.node.response_key().node.len() + "\"\":,".len();
        self.fields.iter().filter_map(|field| Some(field.known.as_ref()?.0.packed.len() + name(field))).sum()
    }

    /// What those that are known were made from.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<Sources>> {
        self.known().map(|(_, sources)| sources)
    }

    fn known(&self) -> impl Iterator<Item = &(Fragment, Arc<Sources>)> {
        self.fields.iter().filter_map(|field| field.known.as_ref())
    }

    /// Leaves what is known out of an operation.
    pub fn leave_out_known(&self, operation: &mut OperationDefinition) {
        if self.known().next().is_some() {
            let unknown = self.fields.iter().filter(|field| field.known.is_none());
            operation.selection_set.node.items =
                unknown.map(|field| Positioned::new(Selection::Field(field.field.clone()), field.field.pos)).collect();
        }
    }

    /// Writes the data of an answer: what is known, and of `executed` what is not, which is handed to `recollection`.
    pub fn write(&self, executed: &Value, recollection: Option<&Recollection>, json: &mut Vec<u8>) {
        // an error took all of it
        let members = match executed {
            Value::Object(members) => Some(members),
            _ if self.are_known() => None,
            _ => return write_value(executed, json, &mut 0),
        };
        let named = self.fields.iter().map(|field| (&field.field.node.response_key().node, field));
        write_members(named, json, |field, json| {
            if let Some((fragment, _)) = &field.known {
                json.extend_from_slice(&fragment.packed);
                return;
            }
            let (begin, mut fields) = (json.len(), 0);
            write_value(
                members.and_then(|members| members.get(&field.field.node.response_key().node)).unwrap_or(&Value::Null),
                json,
                &mut fields,
            );
            if let Some(recollection) = recollection {
                let fragment = Fragment { packed: Bytes::copy_from_slice(&json[begin..]), fields };
                recollection.made_query_field(field.selection, fragment);
            }
        });
    }
}
