//! What registers the fields that every type of job has as a part of each of these types.

use super::JobCommon;
use crate::{
    graph::writer::direct::{At, DirectFields},
    loaders::job::JobRow,
};
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, ObjectType, OutputType, Positioned, ServerResult,
    Value,
    parser::types::Field,
    registry::{MetaType, MetaTypeId, Registry},
};
use std::{borrow::Cow, marker::PhantomData};

/// The fields that every type of job has, as a part of the type `Of`.
///
/// Job types lead to each other, so while the library registers one, it meets the others; a type of
/// its own for each keeps it from merging fields that are not all there yet. All that it does is to
/// register them.
pub struct JobFields<Of>(JobCommon, PhantomData<fn() -> Of>);

impl<Of> From<JobRow> for JobFields<Of> {
    fn from(row: JobRow) -> Self {
        Self(JobCommon(row), PhantomData)
    }
}

impl<Of: 'static> ContainerType for JobFields<Of> {
    fn resolve_field(
        &self,
        ctx: &Context<'_>,
    ) -> impl Future<Output = ServerResult<Option<Value>>> + Send {
        self.0.resolve_field(ctx)
    }
}

impl<Of: 'static> OutputType for JobFields<Of> {
    fn type_name() -> Cow<'static, str> {
        let of = std::any::type_name::<Of>()
            .rsplit("::")
            .next()
            .unwrap_or_default();
        format!("{of}JobFields").into()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        let (own_name, own_type) = (Self::type_name(), std::any::type_name::<Self>());
        registry.create_output_type::<Self, _>(MetaTypeId::Object, |registry| {
            common_fields(registry, &own_name, own_type)
        })
    }

    fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> impl Future<Output = ServerResult<Value>> + Send {
        self.0.resolve(ctx, field)
    }
}

impl<Of: 'static> ObjectType for JobFields<Of> {}

impl<Of: 'static> DirectFields for JobFields<Of> {
    fn number(&self, name: &str) -> Option<u16> {
        self.0.number(name)
    }

    fn write(&self, field: u16, at: &At<'_>, json: &mut Vec<u8>) -> bool {
        self.0.write(field, at, json)
    }
}

/// The registration of `JobCommon` under another name.
fn common_fields(registry: &mut Registry, own_name: &str, own_type: &'static str) -> MetaType {
    let common = JobCommon::type_name();
    let is_whole = matches!(registry.types.get(&*common), Some(MetaType::Object { fields, .. }) if !fields.is_empty());
    if !is_whole {
        // It is being registered further up and has no fields yet: that is begun again. The types
        // met on the way are known by then, so this ends; and what is further up puts the same in
        // the same place.
        registry.types.remove(&*common);
    }
    let mut fields = registry.create_fake_output_type::<JobCommon>();
    if let MetaType::Object {
        name,
        rust_typename,
        ..
    } = &mut fields
    {
        own_name.clone_into(name);
        *rust_typename = Some(own_type);
    }
    fields
}
