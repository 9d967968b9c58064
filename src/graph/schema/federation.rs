//! What a federation's router asks for: `_service`, and `_entities`, things by their keys.
//!
//! Not by the library's own: that has one finder per type, spelt out, gives up all entities for
//! one, and prints its interfaces' keys where no parser takes them. Here a type is an entity
//! because it is a `Node`, and is found as `node` finds it.

use super::{node::Node, scalars::UUID};
use crate::graph::{
    all_consoles::{company_by, server_by},
    error::bad_input,
    query::job_of_server,
    types::job::Job,
};
use crate::uid;
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, Description, ID, InputValueResult, Name, Object,
    OutputType, Positioned, Result, Scalar, ScalarType, ServerResult, SimpleObject, UnionType,
    Value,
    indexmap::IndexMap,
    parser::types::Field,
    registry::{MetaType, MetaTypeId, Registry},
    resolver_utils::{Fields, resolve_container},
};
use futures_util::future::join_all;
use std::{borrow::Cow, sync::LazyLock};

/// Types that are also found by the console's own id, which their owners' other systems may know.
const BY_UID: [&str; 2] = ["BackupServer", "Company"];
/// The interface of jobs, which is an entity too.
const JOB: &str = "Job";
/// What tells a job apart everywhere else: ids repeat over servers.
const JOB_KEY: &str = "uid backupServer { uid }";

/// The schema as a composer wants it; printed once.
static PRINTED: LazyLock<String> = LazyLock::new(|| crate::graph::sdl(true));

/// Something by its type's name (`__typename`) and a key of it.
#[derive(Description)]
pub struct Representation(Value);

#[Scalar(name = "_Any", use_type_description)]
impl ScalarType for Representation {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value))
    }

    fn to_value(&self) -> Value {
        self.0.clone()
    }
}

/// What a composer reads.
#[derive(SimpleObject)]
#[graphql(name = "_Service")]
pub struct Service {
    /// The schema, with its keys.
    sdl: Option<&'static str>,
}

/// The part of `Query` that is for a router.
#[derive(Default)]
pub struct Federation;

#[Object]
impl Federation {
    /// For a federation's composer.
    #[graphql(name = "_service")]
    async fn service(&self) -> Service {
        Service {
            sdl: Some(&PRINTED),
        }
    }

    /// For a federation's router: things by their keys, in the order asked for; null for each that
    /// is gone, or is another type by now.
    #[graphql(name = "_entities")]
    async fn entities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Each with its `__typename` and the fields of a key.")]
        representations: Vec<Representation>,
    ) -> Vec<Option<Result<Entity>>> {
        join_all(
            representations
                .iter()
                .map(|representation| find(ctx, &representation.0)),
        )
        .await
    }
}

/// One representation.
async fn find(ctx: &Context<'_>, representation: &Value) -> Option<Result<Entity>> {
    let named = match representation {
        Value::Object(members) => match members.get("__typename") {
            Some(Value::String(name)) => Some((name.as_str(), members)),
            _ => None,
        },
        _ => None,
    };
    let Some((of_type, key)) = named else {
        return Some(Err(bad_input(
            "A representation needs `__typename` and the fields of a key.",
        )));
    };
    match by_key(ctx, of_type, key).await? {
        Ok(node) => {
            let name = node.introspection_type_name();
            let is_meant = name == of_type || (of_type == JOB && is_job(&name));
            is_meant.then_some(Ok(Entity(node)))
        }
        Err(error) => Some(Err(error)),
    }
}

async fn by_key(
    ctx: &Context<'_>,
    of_type: &str,
    key: &IndexMap<Name, Value>,
) -> Option<Result<Node>> {
    let text = |members: &IndexMap<Name, Value>, name: &str| match members.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    if let Some(id) = text(key, "id") {
        return Node::find(ctx, &ID::from(id)).await;
    }
    let uid = |members| {
        text(members, "uid")
            .and_then(|text| uid::parse_hyphenated(&text))
            .map(UUID)
    };
    let server = match key.get("backupServer") {
        Some(Value::Object(server)) => uid(server),
        _ => None,
    };
    let wrong = |keys: &str| {
        Some(Err(bad_input(format!(
            "A representation of {of_type:?} needs its key: {keys}."
        ))))
    };
    match (of_type, uid(key), server) {
        ("BackupServer", Some(uid), _) => server_by(ctx, Some(uid), None)
            .await
            .map(|found| found.map(Node::from)),
        ("Company", Some(uid), _) => company_by(ctx, Some(uid), None)
            .await
            .map(|found| found.map(Node::from)),
        (name, Some(uid), Some(server)) if is_job(name) => job_of_server(ctx, uid, server)
            .await
            .map(|found| found.map(Node::from)),
        (name, ..) if BY_UID.contains(&name) => wrong(
            "`id`, an id that this gateway gave out, or `uid`, the console's own, with its hyphens",
        ),
        (name, ..) if is_job(name) => wrong(
            "`id`, an id that this gateway gave out, or `uid` and `backupServer { uid }`, with their hyphens",
        ),
        _ => wrong("`id`, an id that this gateway gave out"),
    }
}

/// Whether a name is that of jobs, or of a type of them.
fn is_job(name: &str) -> bool {
    name == JOB || Job::TYPES.contains(&name)
}

/// Anything that has a key.
pub struct Entity(Node);

impl ContainerType for Entity {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        self.0.resolve_field(ctx).await
    }

    fn collect_all_fields<'a>(
        &'a self,
        ctx: &ContextSelectionSet<'a>,
        fields: &mut Fields<'a>,
    ) -> ServerResult<()> {
        self.0.collect_all_fields(ctx, fields)
    }
}

impl OutputType for Entity {
    fn type_name() -> Cow<'static, str> {
        "_Entity".into()
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.0.introspection_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Node::create_type_info(registry);
        registry.create_output_type::<Self, _>(MetaTypeId::Union, |_| MetaType::Union {
            name: "_Entity".to_owned(),
            description: Some("Anything that has a key.".to_owned()),
            possible_types: Node::TYPES.iter().map(|name| (*name).to_owned()).collect(),
            visible: None,
            inaccessible: false,
            tags: Vec::new(),
            rust_typename: Some(std::any::type_name::<Self>()),
            directive_invocations: Vec::new(),
        })
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        _field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        resolve_container(ctx, self).await
    }
}

impl UnionType for Entity {}

/// The keys, for the schema as a composer reads it. It has no fields, and nothing is ever asked of
/// it.
#[derive(Default)]
pub struct Keys;

impl ContainerType for Keys {
    async fn resolve_field(&self, _ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        Ok(None)
    }
}

impl OutputType for Keys {
    fn type_name() -> Cow<'static, str> {
        "Keys".into()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Node::create_type_info(registry);
        for node in Node::TYPES {
            registry.add_keys(node, "id");
            if is_job(node) {
                registry.add_keys(node, JOB_KEY);
            }
        }
        for node in BY_UID {
            registry.add_keys(node, "uid");
        }
        registry.create_output_type::<Self, _>(MetaTypeId::Object, |_| MetaType::Object {
            name: "Keys".to_owned(),
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

    async fn resolve(
        &self,
        _ctx: &ContextSelectionSet<'_>,
        _field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        Ok(Value::Null)
    }
}

/// Gives the interface of jobs its key, so that other services can add fields to all of them
/// (`@interfaceObject`).
pub(crate) fn with_key_of_jobs(printed: &str) -> String {
    printed.replacen(
        "interface Job implements Node {",
        "interface Job implements Node @key(fields: \"id\") {",
        1,
    )
}
