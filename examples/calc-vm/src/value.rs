//! What a variable can hold.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use crate::table::Table;

/// A value. Lists and tables are shared: a copy of the value is the same list.
#[derive(Debug, Clone)]
pub enum Value {
    /// No value.
    Nil,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A text, never changed.
    Str(Rc<str>),
    /// Values by position.
    List(Rc<RefCell<Vec<Value>>>),
    /// Values by key.
    Table(Rc<RefCell<Table>>),
    /// A function of the program, by its number.
    Function(u32),
}

impl Value {
    /// Make a list.
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(Rc::new(RefCell::new(items)))
    }

    /// Make a table.
    pub fn table(table: Table) -> Self {
        Self::Table(Rc::new(RefCell::new(table)))
    }

    /// Everything is true except `false` and `nil`.
    pub fn is_true(&self) -> bool {
        !matches!(self, Self::Nil | Self::Bool(false))
    }

    /// The name of its type, as error messages use it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "a truth value",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Str(_) => "a string",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Function(_) => "a function",
        }
    }
}

/// Numbers and strings are equal when they say the same, lists and tables when they are the same.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nil, Self::Nil) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Int(left), Self::Int(right)) => left == right,
            (Self::Float(left), Self::Float(right)) => left == right,
            (Self::Int(int), Self::Float(float)) | (Self::Float(float), Self::Int(int)) => *int as f64 == *float,
            (Self::Str(left), Self::Str(right)) => left == right,
            (Self::List(left), Self::List(right)) => Rc::ptr_eq(left, right),
            (Self::Table(left), Self::Table(right)) => Rc::ptr_eq(left, right),
            (Self::Function(left), Self::Function(right)) => left == right,
            _ => false,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Str(text) => f.write_str(text),
            Self::List(items) => write_items(f, &items.borrow()),
            Self::Table(table) => write!(f, "{{{} entries}}", table.borrow().len()),
            Self::Function(number) => write!(f, "function {number}"),
        }
    }
}

/// Only the outermost list is written out, for lists may contain themselves.
fn write_items(f: &mut fmt::Formatter<'_>, items: &[Value]) -> fmt::Result {
    f.write_str("[")?;
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            f.write_str(", ")?;
        }
        match item {
            Value::List(inner) => write!(f, "[{} items]", inner.borrow().len())?,
            other => write!(f, "{other}")?,
        }
    }
    f.write_str("]")
}
