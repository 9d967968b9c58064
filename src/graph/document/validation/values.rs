//! Two rules on values within values that `apollo-compiler` 1.33 does not apply: an input object
//! names each member once, and a variable fits the place that it stands in.

use apollo_compiler::{
    ExecutableDocument, Name, Node, Schema,
    ast::{Type, Value, VariableDefinition},
    executable::Operation,
    response::GraphQLError,
    schema::ExtendedType,
    validation::Valid,
};
use std::collections::HashSet;

/// What is wrong with the values of an operation.
pub(crate) fn check(
    schema: &Valid<Schema>,
    document: &Valid<ExecutableDocument>,
    operation: &Operation,
) -> Vec<GraphQLError> {
    let mut walk = Walk {
        schema,
        document,
        variables: &operation.variables,
        wrong: Vec::new(),
    };
    for variable in &operation.variables {
        if let Some(value) = &variable.default_value {
            walk.value(value, &variable.ty, false, false);
        }
    }
    for field in operation.all_fields(document) {
        for argument in &field.arguments {
            if let Some(definition) = field.definition.argument_by_name(&argument.name) {
                walk.value(
                    &argument.value,
                    &definition.ty,
                    false,
                    definition.default_value.is_some(),
                );
            }
        }
    }
    walk.wrong
}

struct Walk<'d> {
    schema: &'d Valid<Schema>,
    document: &'d Valid<ExecutableDocument>,
    variables: &'d [Node<VariableDefinition>],
    wrong: Vec<GraphQLError>,
}

impl Walk<'_> {
    /// `is_within` another value: what stands alone was looked at before.
    fn value(&mut self, value: &Node<Value>, expected: &Type, is_within: bool, has_default: bool) {
        match &**value {
            Value::Variable(name) if is_within => self.variable(value, name, expected, has_default),
            Value::List(items) => items
                .iter()
                .for_each(|item| self.value(item, expected.item_type(), true, false)),
            Value::Object(members) => {
                let mut seen = HashSet::new();
                for (name, member) in members {
                    if !seen.insert(name) {
                        self.add(
                            format!("There can be only one input field named \"{name}\"."),
                            member,
                        );
                    }
                    let ExtendedType::InputObject(definition) =
                        &self.schema.types[expected.inner_named_type()]
                    else {
                        continue;
                    };
                    if let Some(field) = definition.fields.get(name) {
                        self.value(member, &field.ty, true, field.default_value.is_some());
                    }
                }
            }
            _ => {}
        }
    }

    fn variable(&mut self, value: &Node<Value>, name: &Name, expected: &Type, has_default: bool) {
        let Some(variable) = self
            .variables
            .iter()
            .find(|variable| variable.name == *name)
        else {
            return;
        };
        let replaces_null = has_default
            || variable
                .default_value
                .as_ref()
                .is_some_and(|value| !value.is_null());
        let fits = variable.ty.is_assignable_to(expected)
            || (replaces_null
                && expected.is_non_null()
                && variable.ty.is_assignable_to(&expected.clone().nullable()));
        if !fits {
            let message = format!(
                "Variable \"${name}\" of type \"{}\" used in position expecting type \"{expected}\".",
                variable.ty
            );
            self.add(message, value);
        }
    }

    fn add(&mut self, message: String, at: &Node<Value>) {
        self.wrong.push(GraphQLError::new(
            message,
            at.location(),
            &self.document.sources,
        ));
    }
}
