//! Whether a document fits the schema, and variables the document: by the specification's rules,
//! all of them.
//!
//! The library that executes is not strict: it takes fields that conflict behind fragments,
//! directives given twice, texts where enums belong, variables of the wrong type; and refuses a
//! variable that only a directive uses. So documents are validated by `apollo-compiler` first,
//! which the differential test holds against graphql-js.

pub mod merged_fields;
mod nulls;
mod suggestions;
mod values;

use self::suggestions::with_suggestions;
use crate::graph::Schema as Served;
use apollo_compiler::{
    ExecutableDocument, Schema,
    parser::Parser,
    request::{RequestError, coerce_variable_values},
    response::{GraphQLError, JsonMap},
    validation::{Valid, WithErrors},
};
use async_graphql::{Pos, ServerError, parser::types as parser};
use serde_json::{Map, Value};

/// More mistakes in one document are told without what may have been meant.
const MOST_WITH_SUGGESTIONS: usize = 50;

/// Holds documents against the schema.
pub struct Validator {
    schema: Valid<Schema>,
}

impl Validator {
    /// For the schema that is served. Fails only if that is none.
    pub fn new(served: &Served) -> Result<Self, String> {
        match Schema::parse_and_validate(served.whole(), "schema.graphql") {
            Ok(schema) => Ok(Self { schema }),
            Err(wrong) => Err(wrong.errors.to_string()),
        }
    }

    /// The document, if it fits the schema; else everything that is wrong with it. `tokens` and
    /// `nesting` bound the work: the guard was stricter.
    pub fn fit(
        &self,
        text: &str,
        tokens: usize,
        nesting: usize,
    ) -> Result<ValidatedDocument, Vec<ServerError>> {
        let mut parser = Parser::new()
            .token_limit(tokens.saturating_mul(4))
            .recursion_limit(nesting.saturating_mul(4));
        let document = parser
            .parse_executable(&self.schema, text, "query")
            .map_err(|wrong| self.told(&wrong))?;
        let document = document
            .validate(&self.schema)
            .map_err(|wrong| self.told(&wrong))?;
        let wrong: Vec<_> = document
            .operations
            .iter()
            .flat_map(|operation| values::check(&self.schema, &document, operation))
            .collect();
        if wrong.is_empty() {
            Ok(ValidatedDocument(document))
        } else {
            Err(wrong.into_iter().map(error_of).collect())
        }
    }

    fn told(&self, wrong: &WithErrors<ExecutableDocument>) -> Vec<ServerError> {
        let mut errors: Vec<_> = wrong
            .errors
            .iter()
            .map(|diagnostic| error_of(diagnostic.to_json()))
            .collect();
        for error in errors.iter_mut().take(MOST_WITH_SUGGESTIONS) {
            error.message = with_suggestions(&self.schema, std::mem::take(&mut error.message));
        }
        errors
    }

    /// A document that fits, as it is run: with fields that are selected twice made one, if there
    /// are any and all of them can be. With some of them left, members could change their order:
    /// then it is run as it was sent.
    pub fn merge(&self, document: &parser::ExecutableDocument) -> Merged {
        if !merged_fields::puts_together(document, &self.schema) {
            return Merged {
                document: None,
                puts_together: false,
            };
        }
        let document = merged_fields::merge(document, &self.schema)
            .filter(|document| !merged_fields::puts_together(document, &self.schema));
        Merged {
            puts_together: document.is_none(),
            document,
        }
    }

    /// What is wrong with the variables of the operation that is to run.
    pub fn check_variables(
        &self,
        document: &ValidatedDocument,
        operation: Option<&str>,
        variables: &Map<String, Value>,
    ) -> Result<(), Vec<ServerError>> {
        let ValidatedDocument(document) = document;
        let values: JsonMap = variables
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.clone().into()))
            .collect();
        let told = |error: RequestError| vec![error_of(error.to_graphql_error(&document.sources))];
        let operation = document
            .operations
            .get(operation)
            .map_err(|error| vec![error_of(error.to_graphql_error(&document.sources))])?;
        coerce_variable_values(&self.schema, operation, &values)
            .map(drop)
            .map_err(told)
    }
}

/// What came of making fields one.
pub struct Merged {
    /// The document that is run in the place of the one that was sent, if any.
    pub document: Option<parser::ExecutableDocument>,
    /// Whether parts of its answer still are put together from several selections.
    pub puts_together: bool,
}

/// A document that fits the schema.
pub struct ValidatedDocument(Valid<ExecutableDocument>);

impl ValidatedDocument {
    /// Puts nulls where the errors of an execution belong; [`crate::graph::REPORTED`] ones are beside data
    /// that is there.
    pub fn settle_nulls(
        &self,
        operation: Option<&str>,
        data: &mut async_graphql::Value,
        errors: &[ServerError],
    ) {
        let is_reported = |error: &&ServerError| {
            error
                .extensions
                .as_ref()
                .is_some_and(|values| values.get(crate::graph::REPORTED).is_some())
        };
        let Ok(operation) = self.0.operations.get(operation) else {
            return;
        };
        for error in errors
            .iter()
            .filter(|error| !error.path.is_empty() && !is_reported(error))
        {
            nulls::settle(data, &error.path, &self.0, operation);
        }
    }
}

fn error_of(error: GraphQLError) -> ServerError {
    let mut told = ServerError::new(error.message, None);
    told.locations = error
        .locations
        .iter()
        .map(|location| Pos {
            line: location.line,
            column: location.column,
        })
        .collect();
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(text: &str, variables: Value) -> Vec<String> {
        let variables = variables.as_object().cloned().unwrap_or_default();
        let validator = Validator::new(&crate::graph::schema(true)).unwrap();
        let outcome = validator
            .fit(text, 1_000, 64)
            .and_then(|document| validator.check_variables(&document, None, &variables));
        outcome
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|error| error.message)
            .collect()
    }

    #[test]
    fn what_the_specification_takes_is_taken() {
        for (text, variables) in [
            (
                "{ _service { sdl } __typename __schema { types { name } } __type(name: \"Job\") { name } }",
                json!({}),
            ),
            (
                "query A($v: Boolean! = false) { ... on Query { jobs { __typename @include(if: $v) } } }",
                json!({}),
            ),
            (
                "query A($h: [Health!]) { jobs(filter: { health: $h }) { totalCount } }",
                json!({"h": "FAILED"}),
            ),
            (
                "query A($o: [JobOrder!]) { jobs(orderBy: $o) { totalCount } }",
                json!({"o": {"field": "NAME"}}),
            ),
            (
                "query A($u: UUID!, $t: DateTime) { job(uid: $u) { sessions(filter: { since: $t }) { totalCount } } }",
                json!({"u": "x", "t": "y"}),
            ),
        ] {
            assert_eq!(check(text, variables), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_document_that_still_selects_a_field_twice_is_run_as_it_was_sent() {
        let validator = Validator::new(&crate::graph::schema(true)).unwrap();
        for (text, is_merged, puts_together) in [
            (
                "{ jobs { totalCount } companies { totalCount } }",
                false,
                false,
            ),
            ("{ jobs { totalCount } jobs { complete } }", true, false),
            // the members' order: totalCount, then those under the condition, then complete
            (
                "{ jobs { totalCount } jobs @include(if: true) { nodes { name } } jobs { complete } }",
                false,
                true,
            ),
        ] {
            let merged = validator.merge(&async_graphql::parser::parse_query(text).unwrap());
            assert_eq!(
                (merged.document.is_some(), merged.puts_together),
                (is_merged, puts_together),
                "{text}"
            );
        }
    }

    #[test]
    fn what_the_library_lets_through_is_refused() {
        for (text, variables) in [
            ("{ __typename @skip(if: true) @skip(if: false) }", json!({})),
            ("{ __typename @skip }", json!({})),
            ("{ __typename @skip(if: \"yes\") }", json!({})),
            (
                "{ jobs(filter: { health: \"FAILED\" }) { totalCount } }",
                json!({}),
            ),
            (
                "{ ...A jobs(first: 1) { totalCount } } fragment A on Query { jobs(first: 2) { totalCount } }",
                json!({}),
            ),
            (
                "{ jobs { nodes { a: name } ...B } } fragment B on JobConnection { nodes { a: uid } }",
                json!({}),
            ),
            (
                "query A($n: Int!) { jobs(first: $n) { totalCount } }",
                json!({}),
            ),
            (
                "query A($n: Int!) { jobs(first: $n) { totalCount } }",
                json!({"n": null}),
            ),
            (
                "query A($n: Int) { jobs(first: $n) { totalCount } }",
                json!({"n": "5"}),
            ),
            (
                "query A($h: Health) { jobs(filter: { health: [$h] }) { totalCount } }",
                json!({"h": "FAILED"}),
            ),
            (
                "query A($f: JobOrderField) { jobs(orderBy: { field: $f }) { totalCount } }",
                json!({}),
            ),
            (
                "{ jobs(orderBy: { field: NAME, field: NAME }) { totalCount } }",
                json!({}),
            ),
            (
                "query A($v: Boolean!) { __typename @include(if: $v) }",
                json!({"v": "x"}),
            ),
        ] {
            assert!(!check(text, variables).is_empty(), "{text} is taken");
        }
    }
}
