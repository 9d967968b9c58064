//! An object that a field leads to, written like a row.

use super::{direct::DirectFields, objects};
use async_graphql::{
    ContextSelectionSet, OutputType, Positioned, ServerResult, Value, parser::types::Field,
    registry::Registry,
};
use std::borrow::Cow;

/// In the schema it is the object itself.
pub struct Linked<N>(pub N);

impl<N: DirectFields> OutputType for Linked<N> {
    fn type_name() -> Cow<'static, str> {
        N::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        N::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        _field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        objects::resolve(ctx, &self.0).await
    }
}
