//! Documents that were seen before: parsed and held against the schema once; and questions, which are documents with
//! variables, read, weighed and checked once.
//!
//! Frontends send the same few documents over and over, often with the same variables. What is kept is bounded by the
//! bytes of the texts; what does not fit the schema is not kept.

use super::{
    asking::Rejection,
    guard::{self, Weight},
};
use crate::{
    config::Limits,
    estate::fragments::Fragments,
    graph::{Fitting, Merged, RootSelections, Validator},
};
use async_graphql::{
    ServerError, Variables,
    parser::{parse_query, types::ExecutableDocument},
};
use bytes::Bytes;
use foldhash::quality::RandomState;
use moka::sync::Cache;
use serde_json::{Map, Value};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

/// Bytes of text that are kept; what is made of them takes some thirty times as many.
const MAX_BYTES: u64 = 2 << 20;
/// What a question takes besides its bytes, roughly, if its document is known.
const QUESTION_BYTES: usize = 512;
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);
/// Longer messages would only be an echo of what was sent.
const MAX_MESSAGE: usize = 256;

/// A document that fits the schema.
pub(super) struct Document {
    /// As it was sent: so it is weighed.
    parsed: ExecutableDocument,
    pub fitting: Fitting,
    merged: Merged,
}

impl Document {
    /// The document as it is run.
    pub fn run(&self) -> &ExecutableDocument {
        self.merged.document.as_ref().unwrap_or(&self.parsed)
    }

    /// Whether parts of its answer are put together from several selections.
    pub fn puts_together(&self) -> bool {
        self.merged.puts_together
    }
}

/// Why a document is not run.
pub(super) enum Unfit {
    Refused(Rejection),
    Invalid(Vec<ServerError>),
}

impl From<Rejection> for Unfit {
    fn from(rejection: Rejection) -> Self {
        Unfit::Refused(rejection)
    }
}

impl From<guard::Refusal> for Unfit {
    fn from(refusal: guard::Refusal) -> Self {
        Unfit::Refused(refusal.into())
    }
}

/// What is asked with a document.
pub(super) struct Asked {
    pub operation: Option<String>,
    pub variables: Map<String, Value>,
    pub is_get: bool,
}

/// A question that may be run: a document with the variables that it is run with, and what it weighs with them.
pub(super) struct Prepared {
    pub document: Arc<Document>,
    pub operation: Option<String>,
    pub variables: Variables,
    pub weight: Weight,
    roots: OnceLock<Option<RootSelections>>,
}

impl Prepared {
    /// What is selected of `Query`, if it can be said.
    pub fn roots(&self, fragments: &Fragments) -> Option<&RootSelections> {
        let say = || {
            let operation = guard::operation(self.document.run(), self.operation.as_deref())?;
            RootSelections::of(self.document.run(), operation, &self.variables, fragments)
        };
        self.roots.get_or_init(say).as_ref()
    }
}

/// A question as it came.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Sent {
    bytes: Bytes,
    is_get: bool,
}

/// Documents by their text, and questions by their bytes.
pub(super) struct Documents {
    validator: Validator,
    known: Cache<Arc<str>, Arc<Document>, RandomState>,
    questions: Cache<Sent, Arc<Prepared>, RandomState>,
}

impl Documents {
    pub fn new() -> Result<Self, String> {
        let known = Cache::builder()
            .max_capacity(MAX_BYTES)
            .weigher(|text: &Arc<str>, _| u32::try_from(text.len()).unwrap_or(u32::MAX))
            .time_to_idle(FORGOTTEN_AFTER)
            .build_with_hasher(RandomState::default());
        let questions = Cache::builder()
            .max_capacity(MAX_BYTES)
            .weigher(|sent: &Sent, _| u32::try_from(sent.bytes.len() + QUESTION_BYTES).unwrap_or(u32::MAX))
            .build_with_hasher(RandomState::default());
        Ok(Self { validator: Validator::new()?, known, questions })
    }

    /// A question that was prepared before.
    pub fn known(&self, bytes: &Bytes, is_get: bool) -> Option<Arc<Prepared>> {
        self.questions.get(&Sent { bytes: bytes.clone(), is_get })
    }

    /// Keeps a question.
    pub fn keep(&self, bytes: &Bytes, is_get: bool, prepared: Arc<Prepared>) {
        // its own bytes: as they came they are a part of what was received at once
        self.questions.insert(Sent { bytes: Bytes::copy_from_slice(bytes), is_get }, prepared);
    }

    /// Checks everything that can be checked before anything runs.
    pub fn prepare(&self, text: &str, asked: Asked, limits: &Limits) -> Result<Prepared, Unfit> {
        let known = self.known.get(text);
        let (document, (variables, weight)) = match known {
            Some(document) => {
                let weighed = weigh(&document.parsed, &asked, limits)?;
                (document, weighed)
            }
            None => {
                guard::check_text(text, limits)?;
                let parsed = parse_query(text).map_err(|error| {
                    let message: String = error.to_string().chars().take(MAX_MESSAGE).collect();
                    Rejection::graphql("GRAPHQL_PARSE_FAILED", message)
                })?;
                // small enough to be looked at more closely?
                let weighed = weigh(&parsed, &asked, limits)?;
                let fitting = self.validator.fit(text, limits.tokens, limits.nesting).map_err(Unfit::Invalid)?;
                let merged = self.validator.merge(&parsed);
                let document = Arc::new(Document { parsed, fitting, merged });
                self.known.insert(text.into(), document.clone());
                (document, weighed)
            }
        };
        let operation = asked.operation;
        self.validator.check_variables(&document.fitting, operation.as_deref(), &asked.variables).map_err(Unfit::Invalid)?;
        Ok(Prepared { document, operation, variables, weight, roots: OnceLock::new() })
    }
}

/// The variables with their defaults, and what the document weighs with them.
fn weigh(document: &ExecutableDocument, asked: &Asked, limits: &Limits) -> Result<(Variables, Weight), Unfit> {
    let Some(operation) = guard::operation(document, asked.operation.as_deref()) else {
        return Err(Unfit::Refused(Rejection::graphql(
            "OPERATION_RESOLUTION_FAILURE",
            "The document has several operations, or none of that name: say in operationName which to run.",
        )));
    };
    if asked.is_get && !guard::is_query(operation) {
        return Err(Unfit::Refused(Rejection::wrong_method("Only queries are taken with GET.")));
    }
    let mut variables = Variables::from_json(Value::Object(asked.variables.clone()));
    // the library forgets defaults where only a directive uses the variable
    for definition in &operation.variable_definitions {
        let definition = &definition.node;
        if let (false, Some(default)) = (variables.contains_key(&definition.name.node), &definition.default_value) {
            variables.insert(definition.name.node.clone(), default.node.clone());
        }
    }
    let weight = guard::check(document, operation, &variables, limits)?;
    Ok((variables, weight))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn prepare(documents: &Documents, text: &str, variables: Value) -> Result<u64, &'static str> {
        let asked = Asked { operation: None, variables: variables.as_object().cloned().unwrap_or_default(), is_get: false };
        match documents.prepare(text, asked, &Limits::default()) {
            Ok(prepared) => Ok(prepared.weight.cost),
            Err(Unfit::Refused(rejection)) => Err(rejection.code),
            Err(Unfit::Invalid(_)) => Err("invalid"),
        }
    }

    #[test]
    fn a_document_that_is_known_is_still_weighed_and_checked_with_its_variables() {
        let documents = Documents::new().unwrap();
        let text = "query A($n: Int = 500) { jobs(first: $n) { nodes { sessions(first: $n) { nodes { name } } } } }";
        for _ in 0..2 {
            assert_eq!(prepare(&documents, text, json!({"n": 2})), Ok(13), "(2 sessions, each 2 + 1) x 2 + 1");
            assert_eq!(prepare(&documents, text, json!({"n": "x"})), Err("invalid"));
            assert_eq!(prepare(&documents, text, json!({"n": 100_000_000})), Err("QUERY_TOO_COMPLEX"));
            assert!(prepare(&documents, text, json!({})).unwrap() > 500 * 500, "the default counts");
        }
        documents.known.run_pending_tasks();
        assert_eq!(documents.known.entry_count(), 1);
        assert_eq!(prepare(&documents, "{ nope }", json!({})), Err("invalid"));
        documents.known.run_pending_tasks();
        assert_eq!(documents.known.entry_count(), 1, "what does not fit is not kept");
    }
    #[test]
    fn a_question_is_known_by_its_bytes_and_how_it_was_asked() {
        let documents = Documents::new().unwrap();
        let asked = Asked { operation: None, variables: Map::new(), is_get: false };
        let prepared = documents.prepare("{ jobs { totalCount } }", asked, &Limits::default()).ok().unwrap();
        let (body, cost) = (Bytes::from_static(b"{\"query\": \"{ jobs { totalCount } }\"}"), prepared.weight.cost);
        documents.keep(&body, false, Arc::new(prepared));
        assert_eq!(documents.known(&body, false).map(|known| known.weight.cost), Some(cost));
        // as an address the same text says nothing
        assert!(documents.known(&body, true).is_none());
        assert!(documents.known(&body.slice(1..), false).is_none());
    }
}
