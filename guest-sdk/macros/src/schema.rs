//! `#[derive(Schema)]`: the form that serde gives a type, by the attributes that serde reads.

mod attributes;
mod names;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, FieldsNamed, Ident, Type, Variant, ext::IdentExt};

pub(crate) use self::attributes::about;
use self::attributes::{Container, Member};

pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    if !input.generics.params.is_empty() {
        let message = "`Schema` is derived for types without parameters";
        return Err(Error::new_spanned(&input.generics, message));
    }
    let container = Container::of(&input.attrs)?;
    let shape = if container.opaque {
        any()
    } else {
        match &input.data {
            Data::Struct(data) => structure(&data.fields, &container)?,
            Data::Enum(data) => {
                let variants: syn::Result<Vec<_>> =
                    data.variants.iter().map(|variant| of_variant(variant, &container)).collect();
                let variants = variants?.into_iter().flatten();
                quote! { ::cpe_guest::describe::Shape::Either(&[#(#variants),*]) }
            }
            Data::Union(data) => {
                let message = "`Schema` is derived for structs and enums";
                return Err(Error::new_spanned(data.union_token, message));
            }
        }
    };
    let name = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl ::cpe_guest::Schema for #name {
            const SHAPE: ::cpe_guest::describe::Shape = {
                #[allow(unused_imports, reason = "only for types without a schema")]
                use ::cpe_guest::describe::Undescribed as _;
                #shape
            };
        }
    })
}

fn any() -> TokenStream {
    quote! { ::cpe_guest::describe::Shape::Any }
}

/// Of a type that may have none.
fn of_type(ty: &Type) -> TokenStream {
    quote! { <::cpe_guest::describe::Probe<#ty>>::SHAPE }
}

fn structure(fields: &Fields, container: &Container) -> syn::Result<TokenStream> {
    match fields {
        Fields::Named(named) if container.transparent && named.named.len() == 1 => {
            Ok(named.named.iter().map(|field| of_type(&field.ty)).collect())
        }
        Fields::Named(named) => object(named, container, None),
        Fields::Unnamed(unnamed) if unnamed.unnamed.len() == 1 => {
            Ok(unnamed.unnamed.iter().map(|field| of_type(&field.ty)).collect())
        }
        // A list whose items differ.
        Fields::Unnamed(_) => Ok(any()),
        Fields::Unit => Ok(quote! { ::cpe_guest::describe::Shape::Null }),
    }
}

/// An object with these fields, and first the tag of a variant.
fn object(
    named: &FieldsNamed,
    container: &Container,
    tag: Option<TokenStream>,
) -> syn::Result<TokenStream> {
    let mut fields: Vec<TokenStream> = tag.into_iter().collect();
    let mut closed = container.closed;
    for field in &named.named {
        let member = Member::of(&field.attrs)?;
        if member.flatten {
            // Its keys are this object's, and not known here.
            closed = false;
            continue;
        }
        let Some(ident) = field.ident.as_ref().filter(|_| !member.skip) else { continue };
        let name = member.name(&ident.unraw().to_string(), |name| {
            container.case.map_or_else(|| name.to_owned(), |case| case.of_field(name))
        });
        let optional = is_option(&field.ty) || member.optional || container.default;
        let shape = if member.opaque { any() } else { of_type(&field.ty) };
        fields.push(of_field(&name, &about(&field.attrs), !optional, &shape));
    }
    Ok(quote! {
        ::cpe_guest::describe::Shape::Object { fields: &[#(#fields),*], closed: #closed }
    })
}

fn of_field(name: &str, about: &str, required: bool, shape: &TokenStream) -> TokenStream {
    quote! {
        ::cpe_guest::describe::Field {
            name: #name,
            about: #about,
            required: #required,
            shape: &#shape,
        }
    }
}

fn of_variant(variant: &Variant, container: &Container) -> syn::Result<Option<TokenStream>> {
    let member = Member::of(&variant.attrs)?;
    if member.skip {
        return Ok(None);
    }
    let name = member.name(&variant.ident.unraw().to_string(), |name| {
        container.case.map_or_else(|| name.to_owned(), |case| case.of_variant(name))
    });
    let inside = Container {
        case: member.case.or(container.field_case),
        closed: container.closed,
        ..Container::default()
    };
    let word = quote! { ::cpe_guest::describe::Shape::Word(#name) };
    let shape = match (&container.tag, &variant.fields) {
        (Some(tag), fields) => {
            let tag = of_field(tag, "", true, &word);
            match fields {
                Fields::Named(named) => object(named, &inside, Some(tag))?,
                Fields::Unit => object(&no_fields(), &inside, Some(tag))?,
                // The keys of what is in it come beside the tag.
                Fields::Unnamed(_) => {
                    object(&no_fields(), &Container { closed: false, ..inside }, Some(tag))?
                }
            }
        }
        (None, fields) if container.untagged => structure(fields, &inside)?,
        (None, Fields::Unit) => word,
        (None, fields) => {
            let inner = structure(fields, &inside)?;
            let field = of_field(&name, "", true, &inner);
            quote! {
                ::cpe_guest::describe::Shape::Object { fields: &[#field], closed: true }
            }
        }
    };
    Ok(Some(shape))
}

fn no_fields() -> FieldsNamed {
    FieldsNamed {
        brace_token: syn::token::Brace::default(),
        named: syn::punctuated::Punctuated::new(),
    }
}

fn is_option(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|segment: &syn::PathSegment| {
        let name: &Ident = &segment.ident;
        name == "Option"
    })
}
