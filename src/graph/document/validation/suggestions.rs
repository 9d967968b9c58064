//! `Did you mean …?` for names that are not in the schema, as editors and graphql-js have it.
//!
//! The library's words say what is not there, and of what; only names of that very thing are
//! compared.

use apollo_compiler::{
    Schema,
    schema::{ExtendedType, FieldDefinition},
};

/// Where more are close, none is what was meant.
const MOST: usize = 3;
/// Longer names are no slips of the hand.
const LONGEST: usize = 64;

/// A message with the names that may have been meant, if there are any.
pub(crate) fn with_suggestions(schema: &Schema, message: String) -> String {
    match suggested(schema, &message).as_deref() {
        None | Some([]) => message,
        Some([one]) => format!("{message}. Did you mean {one}?"),
        Some([others @ .., last]) => {
            format!("{message}. Did you mean {} or {last}?", others.join(", "))
        }
    }
}

fn suggested(schema: &Schema, message: &str) -> Option<Vec<String>> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (first, second) = (quoted.next()?, quoted.next());
    let say = |wrong: &str, names: Vec<&str>| {
        close(wrong, names)
            .into_iter()
            .map(|name| format!("`{name}`"))
            .collect()
    };
    if message.contains("does not have a field") {
        return Some(say(
            second?,
            fields(schema, first)?
                .map(|field| field.name.as_str())
                .collect(),
        ));
    }
    if message.contains("is not supported by") {
        let coordinate = second?.split('(').next()?;
        let names = match coordinate.strip_prefix('@') {
            Some(directive) => schema
                .directive_definitions
                .get(directive)?
                .arguments
                .iter()
                .map(|argument| argument.name.as_str())
                .collect(),
            None => {
                let (of_type, name) = coordinate.split_once('.')?;
                let field = fields(schema, of_type)?.find(|field| field.name == name)?;
                field
                    .arguments
                    .iter()
                    .map(|argument| argument.name.as_str())
                    .collect()
            }
        };
        return Some(say(first, names));
    }
    if message.contains("does not exist on") {
        let names = match schema.types.get(second?)? {
            ExtendedType::Enum(definition) => {
                definition.values.keys().map(|name| name.as_str()).collect()
            }
            ExtendedType::InputObject(definition) => {
                definition.fields.keys().map(|name| name.as_str()).collect()
            }
            _ => return None,
        };
        return Some(say(first, names));
    }
    if message.starts_with("cannot find type") || message.contains("is not a type defined") {
        return Some(say(
            first,
            schema
                .types
                .keys()
                .map(|name| name.as_str())
                .filter(|name| !name.starts_with('_'))
                .collect(),
        ));
    }
    if message.starts_with("cannot find directive") {
        return Some(
            close(
                first.trim_start_matches('@'),
                schema
                    .directive_definitions
                    .keys()
                    .map(|name| name.as_str())
                    .collect(),
            )
            .into_iter()
            .map(|name| format!("`@{name}`"))
            .collect(),
        );
    }
    None
}

fn fields<'s>(
    schema: &'s Schema,
    of_type: &str,
) -> Option<Box<dyn Iterator<Item = &'s FieldDefinition> + 's>> {
    match schema.types.get(of_type)? {
        ExtendedType::Object(definition) => Some(Box::new(
            definition.fields.values().map(|field| &*field.node),
        )),
        ExtendedType::Interface(definition) => Some(Box::new(
            definition.fields.values().map(|field| &*field.node),
        )),
        _ => None,
    }
}

/// The closest few, the closest first; graphql-js's bound.
fn close<'n>(wrong: &str, names: Vec<&'n str>) -> Vec<&'n str> {
    if wrong.len() > LONGEST {
        return Vec::new();
    }
    let (lower, most) = (wrong.to_lowercase(), wrong.chars().count() * 2 / 5 + 1);
    let distance = |name: &str| strsim::damerau_levenshtein(&lower, &name.to_lowercase());
    let mut close: Vec<(usize, &str)> = names
        .into_iter()
        .map(|name| (distance(name), name))
        .filter(|(distance, _)| *distance <= most)
        .collect();
    close.sort_unstable();
    close.into_iter().map(|(_, name)| name).take(MOST).collect()
}
