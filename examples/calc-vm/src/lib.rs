//! Calc: a small language with integers, floats, strings, lists, tables and functions.
//!
//! Source text becomes tokens ([`lexer`]), a tree ([`parser`]), bytecode ([`compiler`]), and is run by a stack
//! machine ([`vm`]). Nothing here reads files or prints: the caller gives the text and a writer for the output.

pub mod arithmetic;
pub mod ast;
pub mod builtins;
pub mod bytecode;
pub mod compiler;
pub mod error;
pub mod lexer;
pub mod parser;
pub mod table;
pub mod value;
pub mod vm;

use std::io::Write;

pub use error::Error;

/// Run a program; what it prints goes to `output`.
///
/// # Errors
///
/// The first mistake found: in the text, or while running. Output written before that stays written.
pub fn run(source: &str, output: &mut dyn Write) -> Result<(), Error> {
    let program = compiler::compile(&parser::parse(source)?)?;
    vm::Vm::new(&program, output).run()
}
