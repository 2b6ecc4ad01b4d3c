//! Derives for messages and remote actors, and `interface!`: data and dispatch tables only, no control flow.
//!
//! Everything generated names `::synod`; what it means stands there.

mod attributes;
mod interface;
mod remote;
mod wire;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Describes a type's form on the wire; with `#[wire(id = "interface.Message")]` it becomes a message.
///
/// Fields whose type has no `Wire` are marked `#[wire(opaque)]`: the type then travels as a named map. So do types with
/// serde's `flatten`, `skip_serializing`, `skip_serializing_if`, `skip_deserializing`, `tag`, `content` and `untagged`.
#[proc_macro_derive(Wire, attributes(wire))]
pub fn derive_wire(input: TokenStream) -> TokenStream {
    wire::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes an actor callable from other nodes: `#[remote(Kv, Admin, mailbox = 1024, restart(5, "10s"), clients(Kv))]`; instead of `restart`,
/// `restarts = …` takes any policy (`synod::actor::Restarts`).
///
/// `clients` without a list lets clients call all of its interfaces. The derive also implements actix's `Supervised`, by which a
/// panicked actor is replaced by what its factory makes.
#[proc_macro_derive(Remote, attributes(remote))]
pub fn derive_remote(input: TokenStream) -> TokenStream {
    remote::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Declares an interface: `interface!(pub Kv = "kv" { Put, Get });`.
#[proc_macro]
pub fn interface(input: TokenStream) -> TokenStream {
    interface::expand(&parse_macro_input!(input as interface::Interface)).into()
}
