//! What stands below a `#[derive]`, as far as it is needed: the names.

use std::iter::Peekable;

use proc_macro::token_stream::IntoIter;
use proc_macro::{Delimiter, TokenStream, TokenTree};

/// A type that wants an implementation.
pub struct Input {
    /// Its name.
    pub name: String,
    /// What it consists of.
    pub shape: Shape,
}

/// The names of what a type consists of.
pub enum Shape {
    /// Fields.
    Struct(Vec<String>),
    /// Variants without fields.
    Enum(Vec<String>),
}

const MAX_VARIANTS: usize = 256;

/// Read an item. An error is a sentence for the author of the item.
pub fn parse(item: TokenStream) -> Result<Input, String> {
    let mut tokens = item.into_iter().peekable();
    skip_attributes_and_visibility(&mut tokens);
    let keyword = next_name(&mut tokens)?;
    let name = next_name(&mut tokens)?;
    let body = match tokens.next() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => group.stream(),
        Some(TokenTree::Punct(punct)) if punct.as_char() == '<' => {
            return Err(format!("derive(Wire) does not support generic types such as `{name}`"));
        }
        _ => return Err(format!("derive(Wire) needs named fields or variants in `{name}`")),
    };
    let shape = match keyword.as_str() {
        "struct" => Shape::Struct(fields(body)?),
        "enum" => Shape::Enum(variants(body)?),
        other => return Err(format!("derive(Wire) does not support a {other} such as `{name}`")),
    };
    Ok(Input { name, shape })
}

type Tokens = Peekable<IntoIter>;

fn fields(body: TokenStream) -> Result<Vec<String>, String> {
    let mut tokens = body.into_iter().peekable();
    let mut names = Vec::new();
    loop {
        skip_attributes_and_visibility(&mut tokens);
        if tokens.peek().is_none() {
            return Ok(names);
        }
        names.push(next_name(&mut tokens)?);
        skip_type(&mut tokens);
    }
}

fn variants(body: TokenStream) -> Result<Vec<String>, String> {
    let mut tokens = body.into_iter().peekable();
    let mut names = Vec::new();
    loop {
        skip_attributes_and_visibility(&mut tokens);
        if tokens.peek().is_none() {
            break;
        }
        let name = next_name(&mut tokens)?;
        match tokens.next() {
            None => {}
            Some(TokenTree::Punct(punct)) if punct.as_char() == ',' => {}
            Some(_) => {
                return Err(format!(
                    "derive(Wire) supports no fields or numbers in the variant `{name}`"
                ))
            }
        }
        names.push(name);
    }
    match names.len() {
        1..=MAX_VARIANTS => Ok(names),
        count => Err(format!(
            "derive(Wire) supports 1 to {MAX_VARIANTS} variants, not {count}"
        )),
    }
}

fn next_name(tokens: &mut Tokens) -> Result<String, String> {
    match tokens.next() {
        Some(TokenTree::Ident(name)) => Ok(name.to_string()),
        other => Err(format!("derive(Wire) expected a name, found {}", described(other))),
    }
}

fn described(token: Option<TokenTree>) -> String {
    token.map_or_else(|| "nothing".to_owned(), |token| format!("`{token}`"))
}

/// Pass over `#[…]`, `pub` and `pub(…)`.
fn skip_attributes_and_visibility(tokens: &mut Tokens) {
    loop {
        match tokens.peek() {
            Some(TokenTree::Punct(punct)) if punct.as_char() == '#' => {
                tokens.next();
                tokens.next();
            }
            Some(TokenTree::Ident(name)) if name.to_string() == "pub" => {
                tokens.next();
                let is_scope = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis);
                tokens.next_if(is_scope);
            }
            _ => return,
        }
    }
}

/// Pass over `: Type,`. A comma between angle brackets belongs to the type; the `>` of `->` closes nothing.
fn skip_type(tokens: &mut Tokens) {
    let mut depth = 0_u32;
    let mut previous = ' ';
    for token in tokens {
        let character = match &token {
            TokenTree::Punct(punct) => punct.as_char(),
            _ => ' ',
        };
        match character {
            '<' => depth += 1,
            '>' if previous != '-' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => return,
            _ => {}
        }
        previous = character;
    }
}
