//! `#[derive(Remote)]`: which interfaces an actor serves, how much waits before it, how often it is started again.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::{DeriveInput, Error, Expr, LitInt, LitStr, Path, Token, parenthesized};

#[derive(Default)]
struct Options {
    interfaces: Vec<Path>,
    mailbox: Option<LitInt>,
    restart: Option<(LitInt, LitStr)>,
    /// The whole policy, as an expression.
    restarts: Option<Expr>,
    /// Which interfaces clients may call.
    clients: Clients,
}

#[derive(Default)]
enum Clients {
    #[default]
    None,
    All,
    Some(Vec<Path>),
}

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    implement(input).unwrap_or_else(|error| error.to_compile_error())
}

fn implement(input: &DeriveInput) -> syn::Result<TokenStream> {
    let mut options = Options::default();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("remote")) {
        attribute.parse_nested_meta(|meta| options.read(&meta))?;
    }
    if options.interfaces.is_empty() {
        return Err(Error::new(
            input.ident.span(),
            "write `#[remote(Interface)]` with the interfaces it serves",
        ));
    }
    let served = options.served()?;
    let mailbox = options.mailbox.as_ref().map(|mailbox| quote!(const MAILBOX: usize = #mailbox;));
    let restarts = options.restarts()?;
    let ident = &input.ident;
    let (implementation, types, conditions) = input.generics.split_for_impl();
    Ok(quote! {
        impl #implementation ::synod::actor::Remote for #ident #types #conditions {
            #mailbox
            #restarts

            fn serves() -> ::std::vec::Vec<::synod::actor::Served<Self>> {
                ::std::vec![#(#served),*]
            }
        }

        impl #implementation ::synod::actix::Supervised for #ident #types #conditions {
            fn restarting(&mut self, _: &mut ::synod::actix::Context<Self>) {
                if let ::std::option::Option::Some(successor) = ::synod::scope::take_successor::<Self>() {
                    *self = successor;
                }
            }
        }
    })
}

impl Options {
    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if meta.path.is_ident("mailbox") {
            let mailbox: LitInt = meta.value()?.parse()?;
            if mailbox.base10_parse::<usize>()? == 0 {
                return Err(Error::new(mailbox.span(), "an actor without a mailbox hears nothing"));
            }
            self.mailbox = Some(mailbox);
        } else if meta.path.is_ident("restart") {
            let inside;
            parenthesized!(inside in meta.input);
            let most = inside.parse()?;
            inside.parse::<Token![,]>()?;
            self.restart = Some((most, inside.parse()?));
        } else if meta.path.is_ident("restarts") {
            self.restarts = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("clients") {
            self.clients = if meta.input.peek(syn::token::Paren) {
                let inside;
                parenthesized!(inside in meta.input);
                let paths =
                    Punctuated::<Path, Token![,]>::parse_terminated_with(&inside, Path::parse_mod_style)?;
                Clients::Some(paths.into_iter().collect())
            } else {
                Clients::All
            };
        } else {
            self.interfaces.push(meta.path.clone());
        }
        Ok(())
    }

    fn served(&self) -> syn::Result<Vec<TokenStream>> {
        let text = |path: &Path| path.to_token_stream().to_string();
        if let Clients::Some(listed) = &self.clients {
            let stranger = listed.iter().find(|path| !self.interfaces.iter().any(|i| text(i) == text(path)));
            if let Some(stranger) = stranger {
                return Err(Error::new_spanned(stranger, "the actor does not serve this interface"));
            }
        }
        let one = |interface: &Path| {
            let open = match &self.clients {
                Clients::None => false,
                Clients::All => true,
                Clients::Some(listed) => listed.iter().any(|path| text(path) == text(interface)),
            };
            if open {
                quote!(::synod::actor::Served::to_clients::<#interface>())
            } else {
                quote!(::synod::actor::Served::to_members::<#interface>())
            }
        };
        Ok(self.interfaces.iter().map(one).collect())
    }

    fn restarts(&self) -> syn::Result<Option<TokenStream>> {
        let constant = |value| quote!(const RESTARTS: ::synod::actor::Restarts = #value;);
        let Some((most, within)) = &self.restart else {
            return Ok(self.restarts.as_ref().map(|policy| constant(policy.to_token_stream())));
        };
        if let Some(policy) = &self.restarts {
            return Err(Error::new_spanned(policy, "write either `restart` or `restarts`"));
        }
        most.base10_parse::<u32>()?;
        let millis = milliseconds(&within.value()).ok_or_else(|| {
            Error::new(within.span(), "write a time such as \"10s\", \"500ms\" or \"2min\"")
        })?;
        let within = quote!(::std::time::Duration::from_millis(#millis));
        Ok(Some(constant(quote!(::synod::actor::Restarts::at_most(#most, #within)))))
    }
}

fn milliseconds(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}
