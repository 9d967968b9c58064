//! `#[direct_fields]`: an object's leaf fields, written as JSON straight from the row.

use proc_macro::TokenStream;
use proc_macro2::{Ident, TokenStream as Tokens, TokenTree};
use quote::{format_ident, quote};
use syn::{
    Attribute, Error, Expr, ExprLit, FnArg, ImplItem, ImplItemFn, ItemImpl, Lit, MetaNameValue,
    ReturnType, Token, Type, ext::IdentExt, parse_macro_input, punctuated::Punctuated,
};

/// Put above `#[Object]`, it leaves the object as it is and implements `graph::writer::direct::DirectFields`
/// for it: a writer made of the bodies of those methods that wait for nothing.
///
/// These are the methods without `.await` in their bodies and without arguments, but for the
/// context. A field whose value is no leaf (an object, a list of objects) always has a selection,
/// so that it is never written directly, whatever its method does. All other fields are left to the
/// general executor.
#[proc_macro_attribute]
pub fn direct_fields(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let object = parse_macro_input!(item as ItemImpl);
    if !arguments.is_empty() {
        return Error::new_spanned(&object.self_ty, "`direct_fields` takes no arguments")
            .to_compile_error()
            .into();
    }
    let methods = object.items.iter().filter_map(|item| match item {
        ImplItem::Fn(method) => DirectField::of(method),
        _ => None,
    });
    let fields: Vec<_> = methods.collect();
    let writer = writer(&object.self_ty, &fields);
    quote!(#object #writer).into()
}

/// A method that can be called at once.
struct DirectField<'m> {
    /// The field's name in the schema.
    name: String,
    method: &'m ImplItemFn,
    takes_context: bool,
}

impl<'m> DirectField<'m> {
    fn of(method: &'m ImplItemFn) -> Option<Self> {
        let signature = &method.sig;
        let mut inputs = signature.inputs.iter();
        let Some(FnArg::Receiver(receiver)) = inputs.next() else {
            return None;
        };
        let takes_context = match (inputs.next(), inputs.next()) {
            (None, _) => false,
            (Some(FnArg::Typed(argument)), None) if is_context(&argument.ty) => true,
            _ => return None,
        };
        let is_plain = receiver.reference.is_some()
            && receiver.mutability.is_none()
            && signature.generics.params.is_empty()
            && !matches!(signature.output, ReturnType::Default);
        let block = &method.block;
        if !is_plain || awaits(quote!(#block)) {
            return None;
        }
        Some(Self {
            name: schema_name(method)?,
            method,
            takes_context,
        })
    }
}

fn is_context(argument: &Type) -> bool {
    let Type::Reference(reference) = argument else {
        return false;
    };
    matches!(&*reference.elem, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Context"))
}

fn awaits(tokens: Tokens) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "await",
        TokenTree::Group(group) => awaits(group.stream()),
        _ => false,
    })
}

/// The name that the library gives the field; none where anything else is said about the method
/// than its name.
fn schema_name(method: &ImplItemFn) -> Option<String> {
    let mut name = camel_case(&method.sig.ident);
    let told = |attribute: &&Attribute| attribute.path().is_ident("graphql");
    for attribute in method.attrs.iter().filter(told) {
        let members = attribute
            .parse_args_with(Punctuated::<MetaNameValue, Token![,]>::parse_terminated)
            .ok()?;
        for member in members {
            match member.value {
                Expr::Lit(ExprLit {
                    lit: Lit::Str(text),
                    ..
                }) if member.path.is_ident("name") => name = text.value(),
                _ => return None,
            }
        }
    }
    Some(name)
}

fn camel_case(ident: &Ident) -> String {
    let snake = ident.unraw().to_string();
    let mut words = snake.split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

fn writer(object: &Type, fields: &[DirectField<'_>]) -> Tokens {
    let numbers: Vec<u16> = (0..).take(fields.len()).collect();
    let idents: Vec<_> = numbers
        .iter()
        .map(|number| format_ident!("field_{number}"))
        .collect();
    let names = fields.iter().map(|field| &field.name);
    let signatures: Vec<_> = fields
        .iter()
        .zip(&idents)
        .map(|(field, ident)| {
            let (inputs, output) = (&field.method.sig.inputs, &field.method.sig.output);
            quote!(fn #ident(#inputs) #output)
        })
        .collect();
    let bodies = fields.iter().map(|field| &field.method.block);
    let calls = fields.iter().zip(&idents).map(|(field, ident)| {
        if field.takes_context {
            quote!(Direct::#ident(self, &at.field_context()))
        } else {
            quote!(Direct::#ident(self))
        }
    });
    quote! {
        const _: () = {
            #[allow(clippy::all, unused)]
            trait Direct {
                #(#signatures;)*
            }

            #[allow(clippy::all, unused)]
            impl Direct for #object {
                #(#signatures #bodies)*
            }

            impl crate::graph::writer::direct::DirectFields for #object {
                fn number(&self, name: &str) -> Option<u16> {
                    match name {
                        #(#names => Some(#numbers),)*
                        _ => None,
                    }
                }

                #[allow(unused, reason = "not every object has such fields")]
                fn write(
                    &self,
                    field: u16,
                    at: &crate::graph::writer::direct::At<'_>,
                    json: &mut Vec<u8>,
                ) -> bool {
                    use crate::graph::writer::json::{NoLeaf as _, OfLeaf as _, Value};
                    match field {
                        #(#numbers => (&Value(&#calls)).write(json),)*
                        _ => false,
                    }
                }
            }
        };
    }
}
