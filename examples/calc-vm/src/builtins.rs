//! The functions that every program has.

use std::io::Write;

use crate::error::Fault;
use crate::table::{sorted_keys, Key};
use crate::value::Value;

/// A built-in function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// `print(a, b, …)`: the values with spaces between them, and a newline.
    Print,
    /// `len(x)`: the number of bytes, items or entries.
    Len,
    /// `push(list, value)`: add at the end.
    Push,
    /// `pop(list)`: take from the end; nil from an empty list.
    Pop,
    /// `keys(table)`: its keys, sorted.
    Keys,
    /// `has(table, key)`: is there such a key?
    Has,
    /// `find(table, key, default)`: the value, or the default.
    Find,
    /// `str(value)`: as text.
    Str,
    /// `int(value)`: as a whole number, cut towards zero.
    Int,
    /// `float(value)`: as a floating-point number.
    Float,
    /// `sqrt(number)`
    Sqrt,
    /// `slice(text, from, to)`: the bytes `from..to`.
    Slice,
    /// `code(text, position)`: one byte as a number.
    Code,
    /// `split(text, separator)`: the parts as a list.
    Split,
    /// `join(list, separator)`: the parts as one text.
    Join,
}

impl Builtin {
    /// The built-in function of that name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "print" => Self::Print,
            "len" => Self::Len,
            "push" => Self::Push,
            "pop" => Self::Pop,
            "keys" => Self::Keys,
            "has" => Self::Has,
            "find" => Self::Find,
            "str" => Self::Str,
            "int" => Self::Int,
            "float" => Self::Float,
            "sqrt" => Self::Sqrt,
            "slice" => Self::Slice,
            "code" => Self::Code,
            "split" => Self::Split,
            "join" => Self::Join,
            _ => return None,
        })
    }

    /// Call it.
    ///
    /// # Errors
    ///
    /// The arguments are too few, too many, or of other types than it takes.
    pub fn call(self, arguments: &[Value], output: &mut dyn Write) -> Result<Value, Fault> {
        match (self, arguments) {
            (Self::Print, values) => print(values, output),
            (Self::Len, [value]) => len(value),
            (Self::Push, [Value::List(items), value]) => {
                items.borrow_mut().push(value.clone());
                Ok(Value::Nil)
            }
            (Self::Pop, [Value::List(items)]) => Ok(items.borrow_mut().pop().unwrap_or(Value::Nil)),
            (Self::Keys, [Value::Table(table)]) => {
                let keys = sorted_keys(&table.borrow());
                Ok(Value::list(keys.into_iter().map(Key::into_value).collect()))
            }
            (Self::Has, [Value::Table(table), key]) => {
                Ok(Value::Bool(table.borrow().contains_key(&Key::from_value(key)?)))
            }
            (Self::Find, [Value::Table(table), key, default]) => {
                let found = table.borrow().get(&Key::from_value(key)?).cloned();
                Ok(found.unwrap_or_else(|| default.clone()))
            }
            (Self::Str, [value]) => Ok(Value::Str(value.to_string().into())),
            (Self::Int, [value]) => int(value),
            (Self::Float, [value]) => float(value).map(Value::Float),
            (Self::Sqrt, [value]) => float(value).map(|number| Value::Float(number.sqrt())),
            (Self::Slice, [Value::Str(text), Value::Int(from), Value::Int(to)]) => slice(text, *from, *to),
            (Self::Code, [Value::Str(text), Value::Int(position)]) => code(text, *position),
            (Self::Split, [Value::Str(text), Value::Str(separator)]) => Ok(Value::list(
                text.split(&**separator).map(|part| Value::Str(part.into())).collect(),
            )),
            (Self::Join, [Value::List(parts), Value::Str(separator)]) => Ok(join(&parts.borrow(), separator)),
            (_, values) => Err(self.mismatch(values)),
        }
    }

    fn arity(self) -> usize {
        match self {
            Self::Find | Self::Slice => 3,
            Self::Push | Self::Has | Self::Code | Self::Split | Self::Join => 2,
            _ => 1,
        }
    }

    #[cold]
    fn mismatch(self, values: &[Value]) -> Fault {
        let name = format!("{self:?}").to_lowercase();
        match values {
            [first, ..] if values.len() == self.arity() => Fault::Argument(name, first.kind()),
            _ => Fault::Arity(name, self.arity(), values.len()),
        }
    }
}

fn print(values: &[Value], output: &mut dyn Write) -> Result<Value, Fault> {
    for (position, value) in values.iter().enumerate() {
        if position > 0 {
            output.write_all(b" ").map_err(Fault::Output)?;
        }
        write!(output, "{value}").map_err(Fault::Output)?;
    }
    output.write_all(b"\n").map_err(Fault::Output)?;
    Ok(Value::Nil)
}

fn len(value: &Value) -> Result<Value, Fault> {
    let length = match value {
        Value::Str(text) => text.len(),
        Value::List(items) => items.borrow().len(),
        Value::Table(table) => table.borrow().len(),
        other => return Err(Fault::Operand("measure", other.kind())),
    };
    i64::try_from(length)
        .map(Value::Int)
        .map_err(|_| Fault::Overflow("len"))
}

fn int(value: &Value) -> Result<Value, Fault> {
    match value {
        Value::Int(number) => Ok(Value::Int(*number)),
        Value::Float(number) => Ok(Value::Int(*number as i64)),
        Value::Str(text) => text
            .parse()
            .map(Value::Int)
            .map_err(|_| Fault::NotANumber(text.to_string())),
        other => Err(Fault::Operand("make an integer of", other.kind())),
    }
}

fn float(value: &Value) -> Result<f64, Fault> {
    match value {
        Value::Int(number) => Ok(*number as f64),
        Value::Float(number) => Ok(*number),
        Value::Str(text) => text.parse().map_err(|_| Fault::NotANumber(text.to_string())),
        other => Err(Fault::Operand("make a float of", other.kind())),
    }
}

fn slice(text: &str, from: i64, to: i64) -> Result<Value, Fault> {
    let bounds = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    match bounds.and_then(|(from, to)| text.get(from..to)) {
        Some(part) => Ok(Value::Str(part.into())),
        None => Err(Fault::OutOfBounds(to, text.len())),
    }
}

fn code(text: &str, position: i64) -> Result<Value, Fault> {
    let byte = usize::try_from(position)
        .ok()
        .and_then(|position| text.as_bytes().get(position));
    match byte {
        Some(&byte) => Ok(Value::Int(i64::from(byte))),
        None => Err(Fault::OutOfBounds(position, text.len())),
    }
}

fn join(parts: &[Value], separator: &str) -> Value {
    let texts: Vec<String> = parts.iter().map(ToString::to_string).collect();
    Value::Str(texts.join(separator).into())
}
