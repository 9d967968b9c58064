//! What is wrong with a text that is no GraphQL, and where, in words for people.
//!
//! The parser draws a picture of the line, in several lines; what clients show is one, and editors
//! want the place apart.

use async_graphql::{ServerError, parser};

/// The code of such an error.
pub(super) const CODE: &str = "GRAPHQL_PARSE_FAILED";
/// Of what was found, that much is told: more is an echo of what was sent.
const MAX_FOUND: usize = 32;
/// What the parser says it expected, by its own names of rules, and what these are.
const RULES: [(&str, &str); 18] = [
    ("executable_definition", "an operation or a fragment"),
    ("executable_document", "an operation or a fragment"),
    ("selection_set", "a selection in braces"),
    ("selection", "a field or a fragment"),
    ("fragment_spread", "a fragment"),
    ("inline_fragment", "a fragment"),
    ("type_condition", "`on` and a type"),
    ("operation_type", "`query`"),
    ("variable_definitions", "variables in brackets"),
    ("variable_definition", "a variable"),
    ("variable", "a variable"),
    ("arguments", "arguments in brackets"),
    ("const_value", "a value"),
    ("object_field", "a field of an object"),
    ("field", "a field"),
    ("value", "a value"),
    ("EOI", "the end"),
    ("name", "a name"),
];

/// An error of the parser.
pub(super) fn told(error: &parser::Error, text: &str) -> ServerError {
    let (message, locations) = match error {
        parser::Error::Syntax { message, start, .. } => {
            let expected = message
                .lines()
                .find_map(|line| line.trim().strip_prefix("= "))
                .map(expected)
                .unwrap_or_default();
            let found = found(text, start.line, start.column);
            (
                format!(
                    "Syntax error in line {}, column {}: {found}{expected}.",
                    start.line, start.column
                ),
                vec![*start],
            )
        }
        other => (
            format!("{}.", other.to_string().trim_end_matches('.')),
            other.positions().collect(),
        ),
    };
    let mut told = ServerError::new(message, None);
    told.locations = locations;
    told.extensions.get_or_insert_default().set("code", CODE);
    told.extensions
        .get_or_insert_default()
        .set("retryable", false);
    told
}

/// The word or sign that stands there.
fn found(text: &str, line: usize, column: usize) -> String {
    let rest = text
        .split('\n')
        .nth(line.saturating_sub(1))
        .unwrap_or_default();
    let rest: String = rest
        .chars()
        .skip(column.saturating_sub(1))
        .skip_while(|sign| sign.is_whitespace() || *sign == ',')
        .collect();
    let is_word = |sign: char| sign.is_alphanumeric() || sign == '_';
    let word: String = rest
        .chars()
        .take_while(|sign| is_word(*sign))
        .take(MAX_FOUND)
        .collect();
    match (word.is_empty(), rest.trim_end().chars().next()) {
        (false, _) => format!("`{word}` can't stand there"),
        (true, Some(sign)) => format!("`{}` can't stand there", sign.escape_debug()),
        (true, None) => "the line ends there".to_owned(),
    }
}

/// `expected a, b, or c` in plain words; nothing where a rule has no plain name.
fn expected(said: &str) -> String {
    let Some(rules) = said.strip_prefix("expected ") else {
        return String::new();
    };
    let names = rules
        .split(", ")
        .flat_map(|part| part.split(" or "))
        .map(|name| name.trim_start_matches("or ").trim());
    let mut plain: Vec<&str> = Vec::new();
    for name in names.filter(|name| !name.is_empty()) {
        let Some((_, words)) = RULES.iter().find(|(rule, _)| *rule == name) else {
            continue;
        };
        if !plain.contains(words) {
            plain.push(words);
        }
    }
    match plain.split_last() {
        None => String::new(),
        Some((one, [])) => format!("; expected {one}"),
        Some((last, others)) => format!("; expected {} or {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_one_line_with_its_place() {
        for (text, line, column, words) in [
            ("{ jobs { name } ", 1, 17, "the line ends there"),
            (
                "{\n  jobs(first: ) { totalCount }\n}",
                2,
                15,
                "`)` can't stand there; expected a value",
            ),
            ("{ jobs { } }", 1, 10, "`}` can't stand there"),
            ("query A { jobs } extra", 1, 18, "`extra` can't stand there"),
            ("", 1, 1, "the line ends there"),
        ] {
            let error = told(&parser::parse_query(text).unwrap_err(), text);
            assert_eq!(
                error
                    .locations
                    .iter()
                    .map(|at| (at.line, at.column))
                    .collect::<Vec<_>>(),
                [(line, column)],
                "{text}: {}",
                error.message
            );
            assert!(
                error.message.contains(words) && !error.message.contains('\n'),
                "{text}: {}",
                error.message
            );
            assert!(
                !error.message.contains('_') && !error.message.contains("-->"),
                "{text}: {}",
                error.message
            );
        }
        let twice = "query A { a } query A { b }";
        let error = told(&parser::parse_query(twice).unwrap_err(), twice);
        assert_eq!(
            (error.message.as_str(), error.locations.len()),
            ("operation A is defined twice.", 2)
        );
    }
}
