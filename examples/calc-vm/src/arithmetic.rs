//! Operators on values. Integers are checked, and become floats where they meet one.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::error::Fault;
use crate::value::Value;

/// An operator: what it does to values, or why it cannot.
type Outcome = Result<Value, Fault>;

// Beyond 2^53 the float is the nearest one, as in most languages.
fn as_float(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

fn mixed(verb: &'static str, left: &Value, right: &Value, apply: fn(f64, f64) -> f64) -> Outcome {
    match (as_float(left), as_float(right)) {
        (Some(left), Some(right)) => Ok(Value::Float(apply(left, right))),
        _ => Err(Fault::Operands(verb, left.kind(), right.kind())),
    }
}

fn checked(result: Option<i64>, operation: &'static str) -> Outcome {
    result.map(Value::Int).ok_or(Fault::Overflow(operation))
}

/// `left + right`: a sum, or two strings or lists one after the other.
///
/// # Errors
///
/// The operands do not fit, or the sum is too large.
pub fn add(left: &Value, right: &Value) -> Outcome {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => checked(left.checked_add(*right), "addition"),
        (Value::Float(left), Value::Float(right)) => Ok(Value::Float(left + right)),
        (Value::Str(left), Value::Str(right)) => Ok(Value::Str(concatenated(left, right))),
        (Value::List(left), Value::List(right)) => Ok(Value::list(
            [left.borrow().as_slice(), right.borrow().as_slice()].concat(),
        )),
        _ => mixed("add", left, right, |left, right| left + right),
    }
}

fn concatenated(left: &str, right: &str) -> Rc<str> {
    let mut text = String::with_capacity(left.len() + right.len());
    text.push_str(left);
    text.push_str(right);
    text.into()
}

/// `left - right`.
///
/// # Errors
///
/// The operands are not numbers, or the difference is too large.
pub fn subtract(left: &Value, right: &Value) -> Outcome {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => checked(left.checked_sub(*right), "subtraction"),
        (Value::Float(left), Value::Float(right)) => Ok(Value::Float(left - right)),
        _ => mixed("subtract", left, right, |left, right| left - right),
    }
}

/// `left * right`.
///
/// # Errors
///
/// The operands are not numbers, or the product is too large.
pub fn multiply(left: &Value, right: &Value) -> Outcome {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => checked(left.checked_mul(*right), "multiplication"),
        (Value::Float(left), Value::Float(right)) => Ok(Value::Float(left * right)),
        _ => mixed("multiply", left, right, |left, right| left * right),
    }
}

/// `left / right`; between integers without the remainder.
///
/// # Errors
///
/// The operands are not numbers, or an integer is divided by zero.
pub fn divide(left: &Value, right: &Value) -> Outcome {
    match (left, right) {
        (Value::Int(_), Value::Int(0)) => Err(Fault::DivisionByZero),
        (Value::Int(left), Value::Int(right)) => checked(left.checked_div(*right), "division"),
        (Value::Float(left), Value::Float(right)) => Ok(Value::Float(left / right)),
        _ => mixed("divide", left, right, |left, right| left / right),
    }
}

/// `left % right`, with the sign of the left one.
///
/// # Errors
///
/// The operands are not numbers, or an integer is divided by zero.
pub fn remainder(left: &Value, right: &Value) -> Outcome {
    match (left, right) {
        (Value::Int(_), Value::Int(0)) => Err(Fault::DivisionByZero),
        (Value::Int(left), Value::Int(right)) => checked(left.checked_rem(*right), "division"),
        _ => mixed("divide", left, right, |left, right| left % right),
    }
}

/// `-value`.
///
/// # Errors
///
/// It is no number, or the smallest integer.
pub fn negate(value: &Value) -> Outcome {
    match value {
        Value::Int(number) => checked(number.checked_neg(), "negation"),
        Value::Float(number) => Ok(Value::Float(-number)),
        other => Err(Fault::Operand("negate", other.kind())),
    }
}

/// How two numbers or two strings stand to one another; not-a-number stands to nothing.
///
/// # Errors
///
/// There is no order between values of these types.
pub fn compare(left: &Value, right: &Value) -> Result<Option<Ordering>, Fault> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Ok(Some(left.cmp(right))),
        (Value::Float(left), Value::Float(right)) => Ok(left.partial_cmp(right)),
        (Value::Str(left), Value::Str(right)) => Ok(Some(left.cmp(right))),
        _ => match (as_float(left), as_float(right)) {
            (Some(left), Some(right)) => Ok(left.partial_cmp(&right)),
            _ => Err(Fault::Operands("compare", left.kind(), right.kind())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_never_wrap() {
        assert!(matches!(
            add(&Value::Int(i64::MAX), &Value::Int(1)),
            Err(Fault::Overflow(_))
        ));
    }

    #[test]
    fn an_integer_becomes_a_float_beside_one() {
        assert_eq!(
            multiply(&Value::Int(2), &Value::Float(0.25)).unwrap(),
            Value::Float(0.5)
        );
    }

    #[test]
    fn integer_division_by_zero_is_a_fault() {
        assert!(matches!(
            remainder(&Value::Int(1), &Value::Int(0)),
            Err(Fault::DivisionByZero)
        ));
    }

    #[test]
    fn strings_and_numbers_have_no_order() {
        let fault = compare(&Value::Str("a".into()), &Value::Int(1)).unwrap_err();
        assert_eq!(fault.to_string(), "cannot compare a string and an integer");
    }
}
