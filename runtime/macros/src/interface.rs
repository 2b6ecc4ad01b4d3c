//! `interface!`: a marker type, its messages, and who serves it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, LitStr, Path, Token, Visibility, braced};

/// What stands between the parentheses.
pub(crate) struct Interface {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    ident: Ident,
    name: LitStr,
    messages: Punctuated<Path, Token![,]>,
}

impl Parse for Interface {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let ident = input.parse()?;
        input.parse::<Token![=]>()?;
        let name: LitStr = input.parse()?;
        if name.value().is_empty() {
            return Err(syn::Error::new(name.span(), "an interface has a name"));
        }
        let inside;
        braced!(inside in input);
        let messages = Punctuated::parse_terminated_with(&inside, Path::parse_mod_style)?;
        Ok(Self { attributes, visibility, ident, name, messages })
    }
}

pub(crate) fn expand(interface: &Interface) -> TokenStream {
    let Interface { attributes, visibility, ident, name, messages } = interface;
    let messages: Vec<&Path> = messages.iter().collect();
    let positions = 0_u16..;
    let doc = format!("The interface `{}`.", name.value());
    quote! {
        #(#attributes)*
        #[doc = #doc]
        #[derive(Clone, Copy, Debug)]
        #visibility enum #ident {}

        impl ::synod::actor::Interface for #ident {
            const NAME: &'static str = #name;

            fn messages() -> ::std::vec::Vec<::synod::wire::MessageShape> {
                ::std::vec![#(
                    ::synod::wire::MessageShape::of::<#messages, <#messages as ::synod::actix::Message>::Result>()
                ),*]
            }
        }

        #(
            impl ::synod::actor::Accepts<#messages> for #ident {
                const POSITION: u16 = #positions;
            }
        )*

        impl<A> ::synod::actor::Serves<A> for #ident
        where
            A: ::synod::actix::Actor<Context = ::synod::actix::Context<A>> #(+ ::synod::actix::Handler<#messages>)*,
        {
            fn entries() -> ::std::vec::Vec<::synod::actor::Entry<A>> {
                ::std::vec![#(::synod::actor::Entry::of::<#messages>()),*]
            }
        }
    }
}
