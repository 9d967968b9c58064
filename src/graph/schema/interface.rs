//! Interfaces whose fields are those of an object that every implementer merges: described once,
//! not once per type.
//!
//! The library's derive wants each interface field spelt out again with its type and description,
//! and a variant can't be an interface. This takes the fields from the object's own registration.

/// Defines an interface enum over object types.
macro_rules! interface {
    (
        $(#[doc = $doc:literal])+
        pub enum $name:ident: fields of $fields:ty, itself $supers:expr;
        $($variant:ident($object:ty),)+
    ) => {
        $(#[doc = $doc])+
        #[allow(clippy::enum_variant_names, reason = "a variant is named for its type")]
        pub enum $name {
            $(
                #[doc = concat!("`", stringify!($object), "`.")]
                $variant($object),
            )+
        }

        impl $name {
            /// The types that implement it.
            pub const TYPES: &'static [&'static str] = &[$(stringify!($object),)+];
        }

        $(impl From<$object> for $name {
            fn from(object: $object) -> Self {
                $name::$variant(object)
            }
        })+

        impl async_graphql::resolver_utils::ContainerType for $name {
            async fn resolve_field(&self, ctx: &async_graphql::Context<'_>) -> async_graphql::ServerResult<Option<async_graphql::Value>> {
                match self {
                    $($name::$variant(object) => object.resolve_field(ctx).await,)+
                }
            }

            fn collect_all_fields<'a>(
                &'a self,
                ctx: &async_graphql::ContextSelectionSet<'a>,
                fields: &mut async_graphql::resolver_utils::Fields<'a>,
            ) -> async_graphql::ServerResult<()> {
                match self {
                    $($name::$variant(object) => object.collect_all_fields(ctx, fields),)+
                }
            }
        }

        impl async_graphql::OutputType for $name {
            fn type_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn introspection_type_name(&self) -> std::borrow::Cow<'static, str> {
                match self {
                    $($name::$variant(_) => <$object as async_graphql::OutputType>::type_name(),)+
                }
            }

            fn create_type_info(registry: &mut async_graphql::registry::Registry) -> String {
                use async_graphql::registry::{MetaType, MetaTypeId};
                let supers: &[&str] = $supers;
                registry.create_output_type::<Self, _>(MetaTypeId::Interface, |registry| {
                    let mut possible_types = async_graphql::indexmap::IndexSet::new();
                    for super_interface in supers {
                        registry.add_implements(stringify!($name), super_interface);
                    }
                    $(
                        <$object as async_graphql::OutputType>::create_type_info(registry);
                        let object = <$object as async_graphql::OutputType>::type_name();
                        registry.add_implements(&object, stringify!($name));
                        for super_interface in supers {
                            registry.add_implements(&object, super_interface);
                        }
                        possible_types.insert(object.into_owned());
                    )+
                    let fields = match registry.create_fake_output_type::<$fields>() {
                        MetaType::Object { fields, .. } => fields,
                        _ => Default::default(),
                    };
                    MetaType::Interface {
                        name: stringify!($name).to_owned(),
                        description: Some([$($doc),+].map(str::trim).join("\n")),
                        fields,
                        possible_types,
                        extends: false,
                        keys: None,
                        visible: None,
                        inaccessible: false,
                        tags: Vec::new(),
                        rust_typename: Some(std::any::type_name::<Self>()),
                        directive_invocations: Vec::new(),
                        requires_scopes: Vec::new(),
                    }
                })
            }

            async fn resolve(
                &self,
                ctx: &async_graphql::ContextSelectionSet<'_>,
                _field: &async_graphql::Positioned<async_graphql::parser::types::Field>,
            ) -> async_graphql::ServerResult<async_graphql::Value> {
                $crate::graph::writer::objects::resolve(ctx, self).await
            }
        }

        impl async_graphql::InterfaceType for $name {}

        impl $crate::graph::writer::direct::DirectFields for $name {
            fn number(&self, name: &str) -> Option<u16> {
                match self {
                    $($name::$variant(object) => $crate::graph::writer::direct::DirectFields::number(object, name),)+
                }
            }

            fn write(
                &self,
                field: u16,
                at: &$crate::graph::writer::direct::At<'_>,
                json: &mut Vec<u8>,
            ) -> bool {
                match self {
                    $($name::$variant(object) => $crate::graph::writer::direct::DirectFields::write(object, field, at, json),)+
                }
            }
        }
    };
}

pub(crate) use interface;
