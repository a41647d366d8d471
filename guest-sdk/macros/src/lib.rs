//! The `#[activity]` attribute of `cpe-guest`. It checks the function's form and delegates:
//! everything that happens at run time is in `cpe_guest::run_json`. And the derive of `Schema`,
//! by which the attribute tells the form of input and output.

mod schema;

use proc_macro::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Error, FnArg, Item, ItemFn, PatType, ReturnType, Signature, spanned::Spanned};

const FORM: &str = "fn name(input: Input) -> Result<Output, Failure>";

/// Exports a function as this component's activity.
///
/// The function takes one `Deserialize` value and returns `Result<Output, Failure>`, where the
/// output is `Serialize`. It stays callable as it is, for tests. A component has exactly one.
#[proc_macro_attribute]
pub fn activity(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(arguments.into(), item.into()).unwrap_or_else(Error::into_compile_error).into()
}

/// Tells the form that a type has as JSON, as far as serde's attributes decide it.
///
/// Other attributes of serde are passed over; a field of a type without `Schema` may be anything,
/// and so may what has its own way (`with`, `from`, `content`, a tuple). A type that contains
/// itself cannot be told.
#[proc_macro_derive(Schema, attributes(serde))]
pub fn derive_schema(item: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(item as syn::DeriveInput);
    schema::expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(
    arguments: proc_macro2::TokenStream,
    item: proc_macro2::TokenStream,
) -> syn::Result<proc_macro2::TokenStream> {
    let item = syn::parse2::<Item>(item)?;
    let checked = if arguments.is_empty() {
        check(&item)
    } else {
        Err(Error::new_spanned(arguments, "`#[activity]` takes no arguments"))
    };
    let addition = checked.unwrap_or_else(Error::into_compile_error);
    // The item stays even if it is wrong, so that the compiler does not miss it as well.
    Ok(quote! { #item #addition })
}

/// What the function needs beside it.
fn check(item: &Item) -> syn::Result<proc_macro2::TokenStream> {
    let Item::Fn(function) = item else {
        return Err(Error::new_spanned(item, format!("an activity is a function: `{FORM}`")));
    };
    let input = check_signature(&function.sig)?;
    let (export, description) = (export(function, input), description(function, input));
    Ok(quote! { #export #description })
}

/// The description, and natively that it is one.
fn description(function: &ItemFn, input: &PatType) -> proc_macro2::TokenStream {
    let about = schema::about(&function.attrs);
    let about = match about.is_empty() {
        true => quote! { ::core::env!("CARGO_PKG_DESCRIPTION") },
        false => quote! { #about },
    };
    let input = &input.ty;
    let output = match &function.sig.output {
        // A type without a name has no schema either.
        ReturnType::Type(_, ty) if !has_impl(ty) => quote! {
            <::cpe_guest::describe::Probe<
                <#ty as ::cpe_guest::describe::Returns>::Output
            >>::SHAPE
        },
        _ => quote! { ::cpe_guest::describe::Shape::Any },
    };
    quote! {
        const _: () = {
            #[allow(unused_imports, reason = "only for types without a schema")]
            use ::cpe_guest::describe::Undescribed as _;

            const DESCRIPTION: ::cpe_guest::describe::Description =
                ::cpe_guest::describe::Description {
                    name: ::core::env!("CARGO_PKG_NAME"),
                    version: ::core::env!("CARGO_PKG_VERSION"),
                    about: #about,
                    world: ::cpe_guest::describe::WORLD,
                    input: <::cpe_guest::describe::Probe<#input>>::SHAPE,
                    output: #output,
                };
            const LENGTH: usize = ::cpe_guest::describe::length(&DESCRIPTION);

            #[cfg(target_family = "wasm")]
            #[allow(unsafe_code, reason = "a custom section is no section of the program's own")]
            #[used]
            #[unsafe(link_section = "cpe:activity/description")]
            static SECTION: [u8; LENGTH] = ::cpe_guest::describe::write(&DESCRIPTION);
        };
    }
}

fn has_impl(ty: &syn::Type) -> bool {
    let tokens = quote! { #ty };
    tokens.into_iter().any(has_impl_token)
}

fn has_impl_token(token: proc_macro2::TokenTree) -> bool {
    match token {
        proc_macro2::TokenTree::Ident(ident) => ident == "impl",
        proc_macro2::TokenTree::Group(group) => group.stream().into_iter().any(has_impl_token),
        _ => false,
    }
}

/// Returns the only argument.
fn check_signature(signature: &Signature) -> syn::Result<&PatType> {
    if let Some(keyword) = &signature.asyncness {
        let message = "an activity is not async: its calls to the host wait by themselves";
        return Err(Error::new_spanned(keyword, message));
    }
    if !signature.generics.params.is_empty() {
        let message = "an activity has no generic parameters: its input and output are one type";
        return Err(Error::new_spanned(&signature.generics, message));
    }
    if let Some(receiver) = signature.receiver() {
        let message = format!("an activity is a free function, without `self`: `{FORM}`");
        return Err(Error::new_spanned(receiver, message));
    }
    if let ReturnType::Default = signature.output {
        let message = format!("an activity returns `Result<Output, Failure>`: `{FORM}`");
        return Err(Error::new_spanned(signature, message));
    }
    let mut inputs = signature.inputs.iter();
    let message = format!("an activity takes exactly one argument, its input: `{FORM}`");
    match (inputs.next(), inputs.next()) {
        (Some(FnArg::Typed(input)), None) => Ok(input),
        (None, _) => Err(Error::new(signature.paren_token.span.join(), message)),
        _ => Err(Error::new_spanned(&signature.inputs, message)),
    }
}

fn export(function: &ItemFn, input: &PatType) -> proc_macro2::TokenStream {
    let name = &function.sig.ident;
    // At the input's type, so that one that does not deserialize is complained of there.
    let run = quote_spanned! { input.ty.span() => ::cpe_guest::run_json(input, #name) };
    quote! {
        const _: () = {
            // Natively this is all: the types are checked, and the function is not unused.
            const RUN: fn(&str) -> ::core::result::Result<
                ::std::string::String,
                ::cpe_guest::Failure,
            > = |input| #run;
            const _: fn(&str) -> ::core::result::Result<
                ::std::string::String,
                ::cpe_guest::Failure,
            > = RUN;

            #[cfg(target_family = "wasm")]
            #[allow(unsafe_code, reason = "the canonical ABI passes raw memory")]
            const _: () = {
                struct Component;

                impl ::cpe_guest::__private::Guest for Component {
                    fn run(
                        input: ::std::string::String,
                    ) -> ::core::result::Result<
                        ::std::string::String,
                        ::cpe_guest::__private::Failure,
                    > {
                        RUN(&input).map_err(::core::convert::Into::into)
                    }
                }

                ::cpe_guest::__private::export!(
                    Component with_types_in ::cpe_guest::__private::bindings
                );
            };
        };
    }
}
