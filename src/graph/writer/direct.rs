//! Fields that are written directly: what `#[direct_fields]` implements, and how an object is seen by
//! who writes it, whatever its type.

use async_graphql::{
    ContainerType, Context, ContextSelectionSet, Positioned, ServerResult, Value,
    parser::types::Field, resolver_utils::resolve_container,
};
use futures_util::future::{BoxFuture, FutureExt};
use std::borrow::Cow;

/// An object some of whose fields are written directly. `#[direct_fields]` implements it.
pub trait DirectFields: ContainerType {
    /// The number of a field that can be written directly.
    fn number(&self, _name: &str) -> Option<u16> {
        None
    }

    /// Appends the value of a field. `false` where it can't: then the resolver is asked.
    fn write(&self, _field: u16, _at: &At<'_>, _json: &mut Vec<u8>) -> bool {
        false
    }
}

/// Direct fields of an object that is merged of several; where two have a field, the last one's
/// counts, as for the library.
macro_rules! merged_fields {
    ($object:ty: $($part:tt $([$name:ty])?),+) => {
        impl $crate::graph::writer::direct::DirectFields for $object {
            fn number(&self, name: &str) -> Option<u16> {
                let mut number = None;
                $(
                    number = $crate::graph::writer::direct::DirectFields::number(&self.$part, name)
                        .map(|number| number | ($part << 8))
                        .or(number);
                )+
                number
            }

            fn write(&self, field: u16, at: &$crate::graph::writer::direct::At<'_>, json: &mut Vec<u8>) -> bool {
                match field >> 8 {
                    $($part => $crate::graph::writer::direct::DirectFields::write(&self.$part, field & 0xff, at, json),)+
                    _ => false,
                }
            }
        }
    };
}

pub(crate) use merged_fields;

/// Where a field is that is written directly.
pub struct At<'a> {
    /// The object's.
    pub(super) ctx: &'a ContextSelectionSet<'a>,
    /// The field.
    pub(super) field: &'a Positioned<Field>,
}

impl<'a> At<'a> {
    /// The context of the field, as its resolver would have it.
    pub fn field_context(&self) -> Context<'a> {
        self.ctx.with_field(self.field)
    }
}

/// An object, whatever its type.
pub trait Row: Send + Sync {
    /// The object's type.
    fn type_name(&self) -> Cow<'static, str>;
    /// The number of a field that can be written directly.
    fn number(&self, name: &str) -> Option<u16>;
    /// Appends the value of a field, if it can.
    fn write(&self, field: u16, at: &At<'_>, json: &mut Vec<u8>) -> bool;
    /// Resolves one field.
    fn resolve_field<'a>(
        &'a self,
        ctx: &'a ContextSelectionSet<'a>,
        field: &'a Positioned<Field>,
    ) -> BoxFuture<'a, ServerResult<Value>>;
    /// Resolves everything that is selected.
    fn resolve_all<'a>(
        &'a self,
        ctx: &'a ContextSelectionSet<'a>,
    ) -> BoxFuture<'a, ServerResult<Value>>;
}

impl<T: DirectFields> Row for T {
    fn type_name(&self) -> Cow<'static, str> {
        self.introspection_type_name()
    }

    fn number(&self, name: &str) -> Option<u16> {
        DirectFields::number(self, name)
    }

    fn write(&self, field: u16, at: &At<'_>, json: &mut Vec<u8>) -> bool {
        DirectFields::write(self, field, at, json)
    }

    fn resolve_field<'a>(
        &'a self,
        ctx: &'a ContextSelectionSet<'a>,
        field: &'a Positioned<Field>,
    ) -> BoxFuture<'a, ServerResult<Value>> {
        async move {
            let ctx = ctx.with_field(field);
            let value = ContainerType::resolve_field(self, &ctx).await?;
            Ok(value.unwrap_or_default())
        }
        .boxed()
    }

    fn resolve_all<'a>(
        &'a self,
        ctx: &'a ContextSelectionSet<'a>,
    ) -> BoxFuture<'a, ServerResult<Value>> {
        resolve_container(ctx, self).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{
        write_data,
        writer::{linked::Linked, objects::Plans},
    };
    use async_graphql::{EmptyMutation, EmptySubscription, Object, Request, Result, Schema};
    use futures_util::FutureExt;
    use veeam_graph_macros::direct_fields;

    struct Thing;

    #[direct_fields]
    #[Object]
    impl Thing {
        async fn plain_word(&self) -> &str {
            "a \"word\""
        }

        async fn r#type(&self) -> Option<i32> {
            None
        }

        #[graphql(name = "other")]
        async fn named_otherwise(&self) -> bool {
            true
        }

        async fn depth(&self, ctx: &Context<'_>) -> i32 {
            ctx.path_node
                .map_or(0, |node| node.parents().count() as i32)
        }

        async fn refused(&self) -> Option<Result<&str>> {
            Some(Err("refused".into()))
        }

        async fn waits(&self) -> i32 {
            tokio::task::yield_now().await;
            1
        }

        async fn asked(&self, of: i32) -> i32 {
            of
        }

        async fn itself(&self) -> Linked<Thing> {
            Linked(Thing)
        }
    }

    #[test]
    fn fields_that_wait_for_nothing_are_direct() {
        for name in ["plainWord", "type", "other", "depth", "refused"] {
            assert!(DirectFields::number(&Thing, name).is_some(), "{name}");
        }
        for name in ["waits", "asked", "namedOtherwise", "plain_word", ""] {
            assert_eq!(DirectFields::number(&Thing, name), None, "{name}");
        }
    }

    /// The data and the errors of an answer, and how often it had to be waited for.
    fn run(query: &str, writes: bool) -> (String, Vec<String>, usize) {
        let schema = Schema::build(Thing, EmptyMutation, EmptySubscription)
            .validation_mode(async_graphql::ValidationMode::Fast)
            .finish();
        let mut waits = 0;
        let mut running = schema
            .execute(Request::new(query).data(Plans::new(writes)))
            .boxed();
        let answer = loop {
            match running.as_mut().now_or_never() {
                Some(answer) => break answer,
                None => waits += 1,
            }
        };
        let mut json = Vec::new();
        write_data(&answer.data, &mut json);
        let errors = answer.errors.iter();
        (
            String::from_utf8(json).unwrap(),
            errors.map(|error| format!("{error:?}")).collect(),
            waits,
        )
    }

    #[test]
    fn an_object_is_written_as_it_is_resolved() {
        for query in [
            "{ itself { plainWord type b: other depth a: asked(of: 2) } }",
            "{ itself { ... on Thing { plainWord @skip(if: true) } ...F plainWord } } fragment F on Thing { k: __typename }",
            "{ itself { waits plainWord w: waits itself { refused waits depth } r: refused other } }",
            "{ itself { plainWord @skip(if: true) } a: itself { itself { itself { depth } } } }",
        ] {
            let (written, resolved) = (run(query, true), run(query, false));
            assert_eq!(written, resolved, "{query}");
        }
        let (data, errors, waits) = run("{ itself { waits depth x: waits refused } }", true);
        assert_eq!(
            data,
            "{\"itself\":{\"waits\":1,\"depth\":1,\"x\":1,\"refused\":null}}"
        );
        assert_eq!((errors.len(), waits), (1, 1), "fields wait together");
    }
}
