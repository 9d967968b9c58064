//! Documents that were seen before: parsed and held against the schema once; and questions, which
//! are documents with variables, read, weighed and checked once.
//!
//! Frontends send the same few documents over and over, often with the same variables. What is kept
//! is bounded by what it holds, which is many times its text; what does not fit the schema is not
//! kept. A question names its document by the text, so that a document is held once and forgotten
//! when its own room says so.

use super::{
    pipeline::Refusal,
    query_limits::{self, Complexity},
    request::Rejection,
    syntax,
};
use crate::{
    config::Limits,
    estate::render_cache::RenderCache,
    graph::{Merged, RootSelections, Schema, ValidatedDocument, Validator},
};
use async_graphql::{
    Variables,
    parser::{parse_query, types::ExecutableDocument},
};
use bytes::Bytes;
use foldhash::quality::RandomState;
use moka::sync::Cache;
use serde_json::{Map, Value};
use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
    time::Duration,
};

/// The part of the room that is for questions; the rest is for documents.
const QUESTIONS_PART: u64 = 4;
/// What a document takes for each of its words and signs, parsed by two libraries, roughly; and
/// besides these.
const TOKEN_BYTES: usize = 700;
const DOCUMENT_BYTES: usize = 8_192;
/// What a question takes besides its bytes and variables, roughly.
const QUESTION_BYTES: usize = 1_024;
/// What variables take for each byte that they came in, roughly.
const VARIABLES_PER_BYTE: usize = 16;
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);

/// A document that fits the schema.
pub(super) struct Document {
    /// As it was sent: so it is weighed.
    parsed: ExecutableDocument,
    pub fitting: ValidatedDocument,
    merged: Merged,
    text: Arc<str>,
    /// Words and signs of its text.
    tokens: usize,
}

impl Document {
    /// The document as it is run.
    pub fn run(&self) -> &ExecutableDocument {
        self.merged.document.as_ref().unwrap_or(&self.parsed)
    }

    /// What it holds, roughly, in bytes.
    fn bytes(&self) -> u32 {
        // the one that is run beside the one that was sent
        let parsed = if self.merged.document.is_some() { 2 } else { 1 };
        let all = self.tokens * TOKEN_BYTES * parsed + self.text.len() * 2 + DOCUMENT_BYTES;
        u32::try_from(all).unwrap_or(u32::MAX)
    }

    /// Whether parts of its answer are put together from several selections.
    pub fn puts_together(&self) -> bool {
        self.merged.puts_together
    }
}

/// What is asked with a document.
pub(super) struct OperationParameters {
    pub operation: Option<String>,
    pub variables: Map<String, Value>,
    pub is_get: bool,
}

/// A question that may be run.
pub(super) struct PreparedRequest {
    pub document: Arc<Document>,
    weighed: Arc<Weighed>,
}

/// The variables that a document is run with, and what it weighs with them.
pub(super) struct Weighed {
    /// The document's text.
    text: Arc<str>,
    pub operation: Option<String>,
    pub variables: Variables,
    pub complexity: Complexity,
    roots: OnceLock<Option<RootSelections>>,
}

impl Deref for PreparedRequest {
    type Target = Weighed;

    fn deref(&self) -> &Weighed {
        &self.weighed
    }
}

impl PreparedRequest {
    /// What is selected of `Query`, if it can be said.
    pub fn roots(&self, fragments: &RenderCache) -> Option<&RootSelections> {
        let say = || {
            let operation =
                query_limits::operation(self.document.run(), self.operation.as_deref())?;
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
    /// The list of trusted documents that its document was held against.
    list: u64,
}

/// Documents by their text, and questions by their bytes.
pub(super) struct Documents {
    validator: Validator,
    known: Cache<Arc<str>, Arc<Document>, RandomState>,
    questions: Cache<Sent, Arc<Weighed>, RandomState>,
}

impl Documents {
    /// Room for that many bytes.
    pub fn new(bytes: u64, schema: &Schema) -> Result<Self, String> {
        let known = Cache::builder()
            .max_capacity(bytes - bytes / QUESTIONS_PART)
            .weigher(|_: &Arc<str>, document: &Arc<Document>| document.bytes())
            .time_to_idle(FORGOTTEN_AFTER)
            .build_with_hasher(RandomState::default());
        let questions = Cache::builder()
            .max_capacity(bytes / QUESTIONS_PART)
            .weigher(|sent: &Sent, weighed: &Arc<Weighed>| {
                let variables =
                    sent.bytes.len().saturating_sub(weighed.text.len()) * VARIABLES_PER_BYTE;
                u32::try_from(sent.bytes.len() + variables + QUESTION_BYTES).unwrap_or(u32::MAX)
            })
            .build_with_hasher(RandomState::default());
        Ok(Self {
            validator: Validator::new(schema)?,
            known,
            questions,
        })
    }

    /// A question that was prepared before.
    pub fn known(&self, bytes: &Bytes, is_get: bool, list: u64) -> Option<PreparedRequest> {
        let weighed = self.questions.get(&Sent {
            bytes: bytes.clone(),
            is_get,
            list,
        })?;
        let document = self.known.get(&weighed.text)?;
        Some(PreparedRequest { document, weighed })
    }

    /// Keeps a question.
    pub fn keep(&self, bytes: &Bytes, is_get: bool, list: u64, prepared: &PreparedRequest) {
        // its own bytes: as they came they are a part of what was received at once
        self.questions.insert(
            Sent {
                bytes: Bytes::copy_from_slice(bytes),
                is_get,
                list,
            },
            prepared.weighed.clone(),
        );
    }

    /// Checks everything that can be checked before anything runs.
    pub fn prepare(
        &self,
        text: &str,
        asked: OperationParameters,
        limits: &Limits,
    ) -> Result<PreparedRequest, Refusal> {
        let known = self.known.get(text);
        let (document, (variables, complexity)) = match known {
            Some(document) => {
                let weighed = weigh(&document.parsed, &asked, limits)?;
                (document, weighed)
            }
            None => {
                let tokens = query_limits::check_text(text, limits)?;
                let parsed = parse_query(text)
                    .map_err(|error| Refusal::Invalid(vec![syntax::told(&error, text)]))?;
                // small enough to be looked at more closely?
                let weighed = weigh(&parsed, &asked, limits)?;
                let fitting = self
                    .validator
                    .fit(text, limits.tokens, limits.nesting)
                    .map_err(Refusal::Invalid)?;
                let merged = self.validator.merge(&parsed);
                let document = Arc::new(Document {
                    parsed,
                    fitting,
                    merged,
                    text: text.into(),
                    tokens,
                });
                self.known.insert(document.text.clone(), document.clone());
                // what is large is made room for at once
                self.known.run_pending_tasks();
                (document, weighed)
            }
        };
        let operation = asked.operation;
        self.validator
            .check_variables(&document.fitting, operation.as_deref(), &asked.variables)
            .map_err(Refusal::Invalid)?;
        let weighed = Weighed {
            text: document.text.clone(),
            operation,
            variables,
            complexity,
            roots: OnceLock::new(),
        };
        Ok(PreparedRequest {
            document,
            weighed: Arc::new(weighed),
        })
    }
}

/// The variables with their defaults, and what the document weighs with them.
fn weigh(
    document: &ExecutableDocument,
    asked: &OperationParameters,
    limits: &Limits,
) -> Result<(Variables, Complexity), Refusal> {
    let Some(operation) = query_limits::operation(document, asked.operation.as_deref()) else {
        return Err(Refusal::Rejected(Rejection::graphql(
            "OPERATION_RESOLUTION_FAILURE",
            "The document has several operations, or none of that name: say in operationName which to run.",
        )));
    };
    if asked.is_get && !query_limits::is_query(operation) {
        return Err(Refusal::Rejected(Rejection::wrong_method(
            "Only queries are taken with GET.",
        )));
    }
    let mut variables = Variables::from_json(Value::Object(asked.variables.clone()));
    // the library forgets defaults where only a directive uses the variable
    for definition in &operation.variable_definitions {
        let definition = &definition.node;
        if let (false, Some(default)) = (
            variables.contains_key(&definition.name.node),
            &definition.default_value,
        ) {
            variables.insert(definition.name.node.clone(), default.node.clone());
        }
    }
    let complexity = query_limits::check(document, operation, &variables, limits)?;
    Ok((variables, complexity))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn prepare(documents: &Documents, text: &str, variables: Value) -> Result<u64, &'static str> {
        let asked = OperationParameters {
            operation: None,
            variables: variables.as_object().cloned().unwrap_or_default(),
            is_get: false,
        };
        match documents.prepare(text, asked, &Limits::default()) {
            Ok(prepared) => Ok(prepared.complexity.cost),
            Err(Refusal::Rejected(rejection)) => Err(rejection.code),
            Err(Refusal::Invalid(_)) => Err("invalid"),
        }
    }

    #[test]
    fn a_document_that_is_known_is_still_weighed_and_checked_with_its_variables() {
        let documents = Documents::new(1 << 20, &crate::graph::schema(true)).unwrap();
        let text = "query A($n: Int = 500) { jobs(first: $n) { nodes { sessions(first: $n) { nodes { name } } } } }";
        for _ in 0..2 {
            assert_eq!(
                prepare(&documents, text, json!({"n": 2})),
                Ok(13),
                "(2 sessions, each 2 + 1) x 2 + 1"
            );
            assert_eq!(prepare(&documents, text, json!({"n": "x"})), Err("invalid"));
            assert_eq!(
                prepare(&documents, text, json!({"n": 100_000_000})),
                Err("QUERY_TOO_COMPLEX")
            );
            assert!(
                prepare(&documents, text, json!({})).unwrap() > 500 * 500,
                "the default counts"
            );
        }
        documents.known.run_pending_tasks();
        assert_eq!(documents.known.entry_count(), 1);
        assert_eq!(prepare(&documents, "{ nope }", json!({})), Err("invalid"));
        documents.known.run_pending_tasks();
        assert_eq!(
            documents.known.entry_count(),
            1,
            "what does not fit is not kept"
        );
    }
    #[test]
    fn a_question_is_known_by_its_bytes_and_how_it_was_asked() {
        let documents = Documents::new(1 << 20, &crate::graph::schema(true)).unwrap();
        let asked = OperationParameters {
            operation: None,
            variables: Map::new(),
            is_get: false,
        };
        let prepared = documents
            .prepare("{ jobs { totalCount } }", asked, &Limits::default())
            .ok()
            .unwrap();
        let (body, cost) = (
            Bytes::from_static(b"{\"query\": \"{ jobs { totalCount } }\"}"),
            prepared.complexity.cost,
        );
        documents.keep(&body, false, 0, &prepared);
        assert_eq!(
            documents
                .known(&body, false, 0)
                .map(|known| known.complexity.cost),
            Some(cost)
        );
        // as an address the same text says nothing
        assert!(documents.known(&body, true, 0).is_none());
        assert!(documents.known(&body.slice(1..), false, 0).is_none());
    }

    #[test]
    fn documents_weigh_what_they_hold_and_stay_within_their_room_together() {
        let documents = Documents::new(1 << 20, &crate::graph::schema(true)).unwrap();
        for at in 0..200 {
            let text = format!(
                "query A{at} {{ jobs {{ nodes {{ {} }} }} }}",
                "id name health ".repeat(20)
            );
            let asked = OperationParameters {
                operation: None,
                variables: Map::new(),
                is_get: false,
            };
            let prepared = documents
                .prepare(&text, asked, &Limits::default())
                .ok()
                .unwrap();
            let body = Bytes::from(text.clone());
            documents.keep(&body, false, 0, &prepared);
            assert!(
                prepared.document.bytes() > 40_000,
                "some sixty fields, however short their names"
            );
            assert!(documents.known.weighted_size() <= 1 << 20);
        }
        documents.known.run_pending_tasks();
        documents.questions.run_pending_tasks();
        assert!(documents.known.entry_count() < 30);
        // questions hold no documents that are forgotten
        let first = Bytes::from(format!(
            "query A0 {{ jobs {{ nodes {{ {} }} }} }}",
            "id name health ".repeat(20)
        ));
        let is_held = documents
            .questions
            .get(&Sent {
                bytes: first.clone(),
                is_get: false,
                list: 0,
            })
            .is_some();
        let is_there = documents
            .known
            .contains_key(std::str::from_utf8(&first).unwrap());
        assert_eq!(
            documents.known(&first, false, 0).is_some(),
            is_held && is_there
        );
    }
}
