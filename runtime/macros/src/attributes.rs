//! Reads the attributes that change a type's form on the wire: our own and serde's.

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::{Attribute, Error, LitStr, Meta};

/// What the attributes of one type, variant or field say.
#[derive(Default)]
pub(crate) struct Form {
    /// `#[wire(id = "…")]`.
    pub(crate) id: Option<LitStr>,
    /// `#[wire(opaque)]`.
    pub(crate) opaque: bool,
    /// Arrays would shift silently: the type travels as a named map.
    pub(crate) named: bool,
    /// The field does not travel at all.
    pub(crate) skipped: bool,
    /// serde's attributes as text, as far as they change the form.
    pub(crate) words: Vec<String>,
}

/// What leaves the form of what is written as it is.
const HARMLESS: [&str; 7] =
    ["default", "bound", "crate", "deny_unknown_fields", "alias", "expecting", "borrow"];
/// What makes the written fields differ from the read ones, or depend on the value.
const NAMED: [&str; 7] = [
    "flatten",
    "skip_serializing",
    "skip_serializing_if",
    "skip_deserializing",
    "tag",
    "content",
    "untagged",
];

impl Form {
    pub(crate) fn of(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut form = Self::default();
        for attribute in attributes {
            if attribute.path().is_ident("wire") {
                form.wire(attribute)?;
            } else if attribute.path().is_ident("serde") {
                form.serde(attribute)?;
            }
        }
        Ok(form)
    }

    fn wire(&mut self, attribute: &Attribute) -> syn::Result<()> {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("id") {
                let id: LitStr = meta.value()?.parse()?;
                if id.value().is_empty() {
                    return Err(Error::new(id.span(), "write an id, such as \"kv.Put\""));
                }
                self.id = Some(id);
            } else if meta.path.is_ident("opaque") {
                self.opaque = true;
            } else {
                return Err(meta.error("write `id = \"…\"` or `opaque`"));
            }
            Ok(())
        })
    }

    fn serde(&mut self, attribute: &Attribute) -> syn::Result<()> {
        let Meta::List(list) = &attribute.meta else {
            return Err(Error::new(attribute.span(), "write `#[serde(…)]`"));
        };
        for word in split(list.tokens.clone()) {
            let text = word.to_string();
            let name = text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            if HARMLESS.contains(&name) {
                continue;
            }
            self.named |= NAMED.contains(&name);
            self.skipped |= text == "skip";
            self.words.push(text);
        }
        Ok(())
    }
}

/// The parts between the commas of an attribute's list.
fn split(tokens: TokenStream) -> Vec<TokenStream> {
    let mut parts = vec![TokenStream::new()];
    for token in tokens {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => parts.push(TokenStream::new()),
            _ => parts.last_mut().expect("there is one from the start").extend([token]),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}
