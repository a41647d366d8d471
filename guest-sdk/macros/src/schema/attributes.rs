//! What serde's attributes and the documentation say of a type and its parts.

use syn::{Attribute, Expr, ExprLit, Lit, Meta, Token, meta::ParseNestedMeta};

use super::names::Case;

/// Of a struct or an enum.
#[derive(Default)]
pub(super) struct Container {
    pub(super) case: Option<Case>,
    /// Of the fields of an enum's variants.
    pub(super) field_case: Option<Case>,
    pub(super) tag: Option<String>,
    pub(super) untagged: bool,
    pub(super) transparent: bool,
    pub(super) closed: bool,
    pub(super) default: bool,
    /// Its form is not that of its parts.
    pub(super) opaque: bool,
}

impl Container {
    pub(super) fn of(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut found = Self::default();
        each(attributes, |meta, name| {
            match name {
                "rename_all" => found.case = Case::of(&text(meta)?.unwrap_or_default()),
                "rename_all_fields" => {
                    found.field_case = Case::of(&text(meta)?.unwrap_or_default());
                }
                "tag" => found.tag = text(meta)?,
                "untagged" => found.untagged = true,
                "transparent" => found.transparent = true,
                "deny_unknown_fields" => found.closed = true,
                "default" => {
                    text(meta)?;
                    found.default = true;
                }
                "content" | "from" | "try_from" | "into" | "remote" => {
                    text(meta)?;
                    found.opaque = true;
                }
                _ => skip(meta)?,
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// Of a field or a variant.
#[derive(Default)]
pub(super) struct Member {
    rename: Option<String>,
    /// Of a variant's fields.
    pub(super) case: Option<Case>,
    pub(super) skip: bool,
    pub(super) optional: bool,
    pub(super) flatten: bool,
    pub(super) opaque: bool,
}

impl Member {
    pub(super) fn of(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut found = Self::default();
        each(attributes, |meta, name| {
            match name {
                "rename" => found.rename = text(meta)?,
                "rename_all" => found.case = Case::of(&text(meta)?.unwrap_or_default()),
                "skip" | "skip_deserializing" | "skip_serializing" => found.skip = true,
                "default" | "skip_serializing_if" => {
                    text(meta)?;
                    found.optional = true;
                }
                "flatten" => found.flatten = true,
                "with" | "serialize_with" | "deserialize_with" => {
                    text(meta)?;
                    found.opaque = true;
                }
                _ => skip(meta)?,
            }
            Ok(())
        })?;
        Ok(found)
    }

    pub(super) fn name(&self, ident: &str, cased: impl FnOnce(&str) -> String) -> String {
        self.rename.clone().unwrap_or_else(|| cased(ident))
    }
}

/// The documentation: a line for each of its lines.
pub(crate) fn about(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) => Some(line.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn each(
    attributes: &[Attribute],
    mut visit: impl FnMut(&ParseNestedMeta<'_>, &str) -> syn::Result<()>,
) -> syn::Result<()> {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        attribute.parse_nested_meta(|meta| {
            let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            visit(&meta, &name)
        })?;
    }
    Ok(())
}

/// The text after `=`, or that for deserializing in brackets; `None` if there is neither.
fn text(meta: &ParseNestedMeta<'_>) -> syn::Result<Option<String>> {
    if meta.input.peek(Token![=]) {
        return Ok(Some(meta.value()?.parse::<syn::LitStr>()?.value()));
    }
    let mut found = None;
    if meta.input.peek(syn::token::Paren) {
        meta.parse_nested_meta(|inner| {
            let value = inner.value()?.parse::<syn::LitStr>()?.value();
            if inner.path.is_ident("deserialize") || found.is_none() {
                found = Some(value);
            }
            Ok(())
        })?;
    }
    Ok(found)
}

/// What decides nothing about the form.
fn skip(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        let content;
        syn::parenthesized!(content in meta.input);
        content.parse::<proc_macro2::TokenStream>()?;
    }
    Ok(())
}
