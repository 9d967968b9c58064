//! Things by their keys, for services that federate this schema: `_entities`.
//!
//! The library's own finders are one per type, spelt out; here a type is an entity because it is a `Node`, and is found as
//! `node` finds it.

use super::{
    REPORTED,
    error::bad_input,
    fleet::{company_by, server_by},
    node::Node,
    scalars::UUID,
};
use crate::uid;
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, ID, OutputType, Positioned, Result, ServerResult, Value,
    indexmap::IndexMap,
    parser::types::Field,
    registry::{MetaType, MetaTypeId, Registry},
};
use std::borrow::Cow;

/// Types that are also found by the console's own id, which their owners' other systems may know.
const BY_UID: [&str; 2] = ["BackupServer", "Company"];

/// The part of `Query` that finds entities. It has no fields.
#[derive(Default)]
pub struct Entities;

impl Entities {
    async fn find(ctx: &Context<'_>, of_type: &str, key: &IndexMap<async_graphql::Name, Value>) -> Option<Result<Node>> {
        let text = |name: &str| match key.get(name) {
            Some(Value::String(text)) => Some(text.as_str()),
            _ => None,
        };
        if let Some(id) = text("id") {
            return Node::find(ctx, &ID::from(id)).await;
        }
        let uid = text("uid").filter(|_| BY_UID.contains(&of_type)).and_then(uid::parse_hyphenated).map(UUID);
        match (of_type, uid) {
            ("BackupServer", Some(uid)) => server_by(ctx, Some(uid), None).await.map(|found| found.map(Node::from)),
            ("Company", Some(uid)) => company_by(ctx, Some(uid), None).await.map(|found| found.map(Node::from)),
            (_, _) if BY_UID.contains(&of_type) => {
                let keys = "`id`, an id that this gateway gave out, or `uid`, the console's own, with its hyphens";
                Some(Err(bad_input(format!("A representation of {of_type:?} needs a key of its: {keys}."))))
            }
            _ => Some(Err(bad_input(format!("A representation of {of_type:?} needs its key: `id`, an id that this gateway gave out.")))),
        }
    }
}

impl ContainerType for Entities {
    async fn resolve_field(&self, _ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        Ok(None)
    }

    /// One representation: null for what is gone, or is another type by now; one that can't be read costs itself alone.
    async fn find_entity(&self, ctx: &Context<'_>, representation: &Value) -> ServerResult<Option<Value>> {
        let wrong = || bad_input("A representation needs `__typename` and the fields of a key.");
        let of_type = match representation {
            Value::Object(members) => members.get("__typename").and_then(|name| match name {
                Value::String(name) => Some((name.as_str(), members)),
                _ => None,
            }),
            _ => None,
        };
        let found = match of_type {
            Some((name, key)) => Self::find(ctx, name, key).await.map(|found| found.map(|node| (name, node))),
            None => Some(Err(wrong())),
        };
        match found {
            Some(Ok((name, node))) if node.introspection_type_name() == name => {
                node.resolve(&ctx.with_selection_set(&ctx.item.node.selection_set), ctx.item).await.map(Some)
            }
            Some(Err(error)) => {
                let mut error = error.into_server_error(ctx.item.pos);
                error.extensions.get_or_insert_default().set(REPORTED, true);
                ctx.add_error(ctx.set_error_path(error));
                Ok(Some(Value::Null))
            }
            _ => Ok(Some(Value::Null)),
        }
    }
}

impl OutputType for Entities {
    fn type_name() -> Cow<'static, str> {
        "Entities".into()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Node::create_type_info(registry);
        let nodes = match registry.types.get("Node") {
            Some(MetaType::Interface { possible_types, .. }) => possible_types.clone(),
            _ => Default::default(),
        };
        for node in nodes {
            registry.add_keys(&node, "id");
        }
        for node in BY_UID {
            registry.add_keys(node, "uid");
        }
        registry.create_output_type::<Self, _>(MetaTypeId::Object, |_| MetaType::Object {
            name: "Entities".to_owned(),
            description: None,
            fields: IndexMap::new(),
            cache_control: Default::default(),
            extends: false,
            shareable: false,
            resolvable: true,
            keys: None,
            visible: None,
            inaccessible: false,
            interface_object: false,
            tags: Vec::new(),
            is_subscription: false,
            rust_typename: Some(std::any::type_name::<Self>()),
            directive_invocations: Vec::new(),
            requires_scopes: Vec::new(),
        })
    }

    async fn resolve(&self, _ctx: &ContextSelectionSet<'_>, _field: &Positioned<Field>) -> ServerResult<Value> {
        Ok(Value::Null)
    }
}
