//! What can go wrong: an [`Error`] has a line, a [`Fault`] does not know its line yet.

use std::fmt;
use std::io;

/// A mistake in a program, found while reading or while running it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The line of the source text, from 1.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

impl Error {
    /// Make an error.
    pub fn new(line: u32, message: impl Into<String>) -> Self {
        Self {
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for Error {}

/// Why an operation on values failed. The machine adds the line.
#[derive(Debug)]
pub enum Fault {
    /// The operation is not defined for operands of these types.
    Operands(&'static str, &'static str, &'static str),
    /// The operation is not defined for a value of this type.
    Operand(&'static str, &'static str),
    /// A container of this type cannot be indexed by a value of that type.
    Index(&'static str, &'static str),
    /// An integer result does not fit into 64 bits.
    Overflow(&'static str),
    /// An integer was divided by zero.
    DivisionByZero,
    /// An index lies outside a list or string of this length.
    OutOfBounds(i64, usize),
    /// A value of this type cannot be a key of a table.
    Key(&'static str),
    /// A table has no such key.
    NoSuchKey(String),
    /// A function was given another number of arguments than it takes.
    Arity(String, usize, usize),
    /// A built-in function does not take a value of this type.
    Argument(String, &'static str),
    /// A text cannot be read as a number.
    NotANumber(String),
    /// Functions called one another too deeply.
    TooDeep(usize),
    /// The output cannot be written.
    Output(io::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operands(operation, left, right) => write!(f, "cannot {operation} {left} and {right}"),
            Self::Operand(operation, operand) => write!(f, "cannot {operation} {operand}"),
            Self::Index(container, index) => write!(f, "cannot index {container} with {index}"),
            Self::Overflow(operation) => write!(f, "the result of {operation} does not fit into 64 bits"),
            Self::DivisionByZero => f.write_str("division by zero"),
            Self::OutOfBounds(index, length) => write!(f, "index {index} is outside 0..{length}"),
            Self::Key(kind) => write!(f, "{kind} cannot be a key of a table"),
            Self::NoSuchKey(key) => write!(f, "the table has no key {key}"),
            Self::Arity(name, expected, given) => write!(f, "{name} takes {expected} arguments, {given} given"),
            Self::Argument(name, given) => write!(f, "{name} does not take such arguments, beginning with {given}"),
            Self::NotANumber(text) => write!(f, "{text:?} is not a number"),
            Self::TooDeep(limit) => write!(f, "more than {limit} nested calls"),
            Self::Output(error) => write!(f, "cannot write: {error}"),
        }
    }
}
