//! `#[derive(Wire)]`: the fields of a struct one after the other, the variants of an enum by number.
//!
//! Without dependencies: names are all that the generated code needs, the types follow from them.

mod input;

use proc_macro::TokenStream;

use input::{Input, Shape};

/// Implement `wire::Wire` for a struct with named fields or an enum without fields.
#[proc_macro_derive(Wire)]
pub fn derive_wire(item: TokenStream) -> TokenStream {
    let code = match input::parse(item) {
        Ok(input) => implementation(&input),
        Err(message) => format!("::core::compile_error!({message:?});"),
    };
    code.parse().expect("the generated code consists of valid tokens")
}

fn implementation(input: &Input) -> String {
    let name = &input.name;
    let (write, read) = match &input.shape {
        Shape::Struct(fields) => (struct_write(fields), struct_read(fields)),
        Shape::Enum(variants) => (enum_write(variants), enum_read(variants)),
    };
    format!(
        "#[automatically_derived]
        impl ::wire::Wire for {name} {{
            fn write(&self, output: &mut ::std::vec::Vec<u8>) {{ {write} }}
            fn read(reader: &mut ::wire::Reader<'_>) -> ::core::result::Result<Self, ::wire::WireError> {{ {read} }}
        }}"
    )
}

fn struct_write(fields: &[String]) -> String {
    let each = fields
        .iter()
        .map(|field| format!("::wire::Wire::write(&self.{field}, output);"));
    each.collect()
}

/// Fields are read in the order in which they stand, which Rust guarantees for struct expressions.
fn struct_read(fields: &[String]) -> String {
    let each = fields
        .iter()
        .map(|field| format!("{field}: ::wire::Wire::read(reader)?,"));
    format!("::core::result::Result::Ok(Self {{ {} }})", each.collect::<String>())
}

fn enum_write(variants: &[String]) -> String {
    let numbered = variants.iter().enumerate();
    let arms: String = numbered
        .map(|(number, variant)| format!("Self::{variant} => {number}u8,"))
        .collect();
    format!("output.push(match self {{ {arms} }});")
}

fn enum_read(variants: &[String]) -> String {
    let numbered = variants.iter().enumerate();
    let arms = numbered.map(|(number, variant)| format!("{number}u8 => ::core::result::Result::Ok(Self::{variant}),"));
    format!(
        "match <u8 as ::wire::Wire>::read(reader)? {{
            {}
            unknown => ::core::result::Result::Err(::wire::WireError::UnknownVariant(unknown)),
        }}",
        arms.collect::<String>()
    )
}
