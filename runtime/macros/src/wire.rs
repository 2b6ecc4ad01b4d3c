//! `#[derive(Wire)]`: the structure of a type, told to a schema word by word.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DataEnum, DeriveInput, Error, Fields, Ident, parse_quote};

use crate::attributes::Form;

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    implement(input).unwrap_or_else(|error| error.to_compile_error())
}

fn implement(input: &DeriveInput) -> syn::Result<TokenStream> {
    let form = Form::of(&input.attrs)?;
    let body = match &input.data {
        Data::Struct(data) => fields(&data.fields)?,
        Data::Enum(data) => variants(data)?,
        Data::Union(data) => {
            return Err(Error::new(data.union_token.span, "a union has no form on the wire"));
        }
    };
    let kind = if matches!(input.data, Data::Enum(_)) { "enum" } else { "struct" };
    let whole = marks(&form);
    let ident = &input.ident;
    let mut generics = input.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(::synod::wire::Wire));
    }
    let (implementation, types, conditions) = generics.split_for_impl();
    let id = form.id.as_ref().map(|id| {
        quote! {
            impl #implementation ::synod::wire::WireId for #ident #types #conditions {
                const ID: &'static str = #id;
            }
        }
    });
    Ok(quote! {
        impl #implementation ::synod::wire::Wire for #ident #types #conditions {
            fn describe(schema: &mut ::synod::wire::Schema) {
                schema.composite::<Self>(|schema| {
                    schema.word(#kind);
                    #whole
                    #body
                });
            }
        }
        #id
    })
}

fn variants(data: &DataEnum) -> syn::Result<TokenStream> {
    let variants = data.variants.iter().map(|variant| {
        let form = Form::of(&variant.attrs)?;
        refuse_id(&form)?;
        let (name, marks, fields) = (text(&variant.ident), marks(&form), fields(&variant.fields)?);
        Ok(quote! { schema.word(#name); #marks #fields })
    });
    variants.collect()
}

fn fields(fields: &Fields) -> syn::Result<TokenStream> {
    let shape = match fields {
        Fields::Named(_) => "named",
        Fields::Unnamed(_) => "unnamed",
        Fields::Unit => "unit",
    };
    let members = fields.iter().map(|field| {
        let form = Form::of(&field.attrs)?;
        refuse_id(&form)?;
        if form.skipped {
            return Ok(TokenStream::new());
        }
        let name = field.ident.as_ref().map(text).unwrap_or_default();
        let ty = &field.ty;
        let marks = marks(&form);
        let member = if form.opaque { quote!(schema.opaque();) } else { quote!(schema.member::<#ty>();) };
        Ok(quote! { schema.word(#name); #marks #member })
    });
    let members = members.collect::<syn::Result<TokenStream>>()?;
    Ok(quote! { schema.word(#shape); #members })
}

/// What the attributes add to the structure.
fn marks(form: &Form) -> TokenStream {
    let words = &form.words;
    let opaque = form.named.then(|| quote!(schema.opaque();));
    quote! { #(schema.word(#words);)* #opaque }
}

fn refuse_id(form: &Form) -> syn::Result<()> {
    match &form.id {
        Some(id) => Err(Error::new(id.span(), "an id belongs to a whole message")),
        None => Ok(()),
    }
}

fn text(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map(str::to_owned).unwrap_or(text)
}
