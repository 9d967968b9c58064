//! Looks at a document before anything runs it, in time linear in its bytes.
//!
//! The library's own limits are checked after it has walked every expanded fragment, so a kilobyte
//! of fragments that spread each other costs it seconds; deeply nested lists overflow its stack;
//! and rows multiply down a query without counting. Here the text is looked at once before it is
//! parsed, each fragment is visited once, and everything is counted with saturating sums. A refusal
//! names the limit, what was found and what is allowed.

mod complexity;
mod text;

pub(super) use self::complexity::Complexity;
pub(super) use self::text::check as check_text;

use self::complexity::Weigher;
use crate::{config::Limits, graph::error::code};
use async_graphql::{
    Variables,
    parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType},
};

/// Why a document is not run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub code: &'static str,
    pub message: String,
}

/// Too much of something: which limit, what was found, what is allowed.
fn over(limit: &str, what: &str, found: u64, maximum: u64) -> Refusal {
    let found = if found == u64::MAX {
        "more than can be counted".to_owned()
    } else {
        found.to_string()
    };
    Refusal {
        code: code::QUERY_TOO_COMPLEX,
        message: format!(
            "The query has {what}: {found}; at most {maximum} are allowed (limits.{limit})."
        ),
    }
}

/// The operation that will run, if it can be told.
pub(super) fn operation<'d>(
    document: &'d ExecutableDocument,
    name: Option<&str>,
) -> Option<&'d OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(&operation.node),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(operations), Some(name)) => {
            operations.get(name).map(|operation| &operation.node)
        }
        (DocumentOperations::Multiple(operations), None) => match operations.len() {
            1 => operations.values().next().map(|operation| &operation.node),
            _ => None,
        },
    }
}

/// The same, to be changed.
pub(super) fn operation_mut<'d>(
    document: &'d mut ExecutableDocument,
    name: Option<&str>,
) -> Option<&'d mut OperationDefinition> {
    match (&mut document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(&mut operation.node),
        (DocumentOperations::Multiple(operations), Some(name)) => operations
            .get_mut(name)
            .map(|operation| &mut operation.node),
        (DocumentOperations::Multiple(operations), None) => operations
            .values_mut()
            .next()
            .map(|operation| &mut operation.node),
    }
}

/// Whether an operation may be asked for with GET.
pub(super) fn is_query(operation: &OperationDefinition) -> bool {
    operation.ty == OperationType::Query
}

/// Checks a parsed document: size with every fragment in its place, and rows that multiply.
/// Gives the weight of the operation that will run.
pub(super) fn check(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
    limits: &Limits,
) -> Result<Complexity, Refusal> {
    let mut weigher = Weigher::new(document, variables, limits.depth);
    // every operation is weighed: validation walks the ones that don't run, too
    let mut all = Complexity::default();
    for (_, operation) in document.operations.iter() {
        all = all.plus(weigher.operation(&operation.node)?);
    }
    let unused = weigher.unused_fragments()?;
    let all = all.plus(unused);
    let complexity = weigher.operation(operation)?;
    if complexity.is_introspection && !limits.introspection {
        let message = "Introspection is switched off here (limits.introspection); the schema is published elsewhere.".to_owned();
        return Err(Refusal {
            code: code::FORBIDDEN,
            message,
        });
    }
    let most = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    for (limit, what, found, maximum) in [
        (
            "root_fields",
            "fields of Query",
            complexity.width,
            most(limits.root_fields),
        ),
        (
            "aliases",
            "aliases, fragments in their places",
            all.aliases,
            most(limits.aliases),
        ),
        (
            "directives",
            "directives, fragments in their places",
            all.directives,
            most(limits.directives),
        ),
        (
            "fields",
            "fields, fragments in their places",
            all.fields,
            limits.fields,
        ),
        (
            "introspection_cost",
            "a cost of introspection",
            complexity.schema_cost,
            limits.introspection_cost,
        ),
        (
            "cost",
            "a cost (fields, rows counted by `first`); ask for fewer rows on the outer lists",
            complexity.cost,
            limits.cost,
        ),
    ] {
        if found > maximum {
            return Err(over(limit, what, found, maximum));
        }
    }
    Ok(complexity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;

    fn guard(text: &str, variables: serde_json::Value) -> Result<Complexity, Refusal> {
        let limits = Limits::default();
        check_text(text, &limits)?;
        let document = parse_query(text).unwrap();
        let chosen = operation(&document, None).unwrap();
        check(&document, chosen, &Variables::from_json(variables), &limits)
    }

    fn message(text: &str) -> String {
        guard(text, serde_json::json!({})).unwrap_err().message
    }

    #[test]
    fn fragments_that_spread_each_other_are_counted_once_each() {
        let mut text = String::from("{ ...F0 }");
        for level in 0..40 {
            text.push_str(&format!(
                " fragment F{level} on Query {{ ...F{0} ...F{0} }}",
                level + 1
            ));
        }
        text.push_str(" fragment F40 on Query { __typename }");
        assert!(message(&text).contains("limits."), "{}", message(&text));
    }

    #[test]
    fn cycles_nesting_length_and_rows_have_bounds_that_are_named() {
        let cycle = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }";
        assert!(message(cycle).contains("spreads itself"));
        assert!(
            message("{ __typename } fragment A on Query { ...A }").contains("spreads itself"),
            "also where nobody uses it"
        );
        let nested = format!("{{ f(l: {}1{}) }}", "[".repeat(70), "]".repeat(70));
        assert!(message(&nested).contains("limits.nesting"));
        assert!(message(&format!("# {}", "x".repeat(70_000))).contains("65536"));
        assert!(message(&"{ a } ".repeat(5_000)).contains("limits.tokens"));
        assert!(
            message(&format!("{{ {} }}", "a: __typename ".repeat(201)))
                .contains("limits.root_fields")
        );
        let aliases = |count: usize| {
            (0..count)
                .map(|at| format!("a{at}: name "))
                .collect::<String>()
        };
        assert!(
            message(&format!("{{ jobs {{ nodes {{ {} }} }} }}", aliases(201)))
                .contains("limits.aliases")
        );
        assert!(
            message(&format!(
                "{{ __typename {} }}",
                "@skip(if: true) ".repeat(51)
            ))
            .contains("limits.directives")
        );
        let deep = "{ jobs(first: 500) { nodes { sessions(first: 500) { nodes { children(first: $n) { nodes { name } } } } } } }";
        let named = format!("query Q($n: Int) {deep}");
        assert!(
            guard(&named, serde_json::json!({"n": 500}))
                .unwrap_err()
                .message
                .contains("fewer rows")
        );
        assert!(guard(&named, serde_json::json!({"n": 1})).is_ok());
    }

    #[test]
    fn a_list_of_rows_under_many_names_weighs_what_it_takes() {
        let under = |names: usize, first: usize| {
            let fields: String = (0..names)
                .map(|at| format!("a{at}: sessions {{ totalCount }} "))
                .collect();
            let text = format!("{{ jobs(first: {first}) {{ nodes {{ {fields} }} }} }}");
            guard(&text, serde_json::json!({}))
        };
        assert!(under(10, 50).is_ok());
        assert!(under(20, 50).is_ok());
        assert!(under(60, 50).unwrap_err().message.contains("fewer rows"));
        // at the top of a document, and values without arguments, are no lists of rows
        let top: String = (0..45)
            .map(|at| format!("a{at}: jobs {{ totalCount }} "))
            .collect();
        assert!(guard(&format!("{{ {top} }}"), serde_json::json!({})).is_ok());
        let values: String = (0..150).map(|at| format!("a{at}: name ")).collect();
        let text = format!("{{ jobs(first: 500) {{ nodes {{ {values} }} }} }}");
        assert!(guard(&text, serde_json::json!({})).is_ok());
    }

    #[test]
    fn introspection_that_multiplies_is_counted_and_the_tools_own_query_is_not_refused() {
        let mut text = String::from("{ __schema { types ");
        for _ in 0..8 {
            text.push_str("{ fields { type ");
        }
        text.push_str(&format!("{{ name }} {}", "} }".repeat(8)));
        text.push_str("} }");
        assert!(
            message(&text).contains("limits.introspection_cost"),
            "{}",
            message(&text)
        );
        let usual = "{ __schema { types { name fields(includeDeprecated: true) { name args { name type { name ofType { name ofType { name } } } } type { name ofType { name } } } inputFields { name } enumValues { name } possibleTypes { name } } } }";
        assert!(guard(usual, serde_json::json!({})).is_ok());
        let off = Limits {
            introspection: false,
            ..Limits::default()
        };
        for text in [
            "{ __schema { types { name } } }",
            "{ ...A } fragment A on Query { a: __type(name: \"Job\") { name } }",
        ] {
            let document = parse_query(text).unwrap();
            let refusal = check(
                &document,
                operation(&document, None).unwrap(),
                &Variables::default(),
                &off,
            )
            .unwrap_err();
            assert_eq!(refusal.code, "FORBIDDEN");
        }
    }

    #[test]
    fn nesting_that_fragments_hand_on_is_counted_too() {
        let mut text = String::from("{ ...F0 }");
        for level in 0..60 {
            let (open, close) = ("{ a ".repeat(50), "}".repeat(50));
            text.push_str(&format!(
                " fragment F{level} on Query {open}{{ ...F{} }}{close}",
                level + 1
            ));
        }
        text.push_str(" fragment F60 on Query { __typename }");
        assert!(message(&text).contains("limits.depth"));
    }
}
