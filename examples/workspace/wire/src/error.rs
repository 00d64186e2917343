//! Why reading fails.

use std::fmt;

/// Why bytes are not the binary form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireError {
    /// They end too early.
    UnexpectedEnd,
    /// A number is larger than its type allows.
    NumberTooLarge,
    /// A truth value is neither 0 nor 1.
    NotBool(u8),
    /// An enum has no variant of this number.
    UnknownVariant(u8),
    /// A text is not UTF-8.
    NotUtf8,
    /// That many bytes follow the value.
    Trailing(usize),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnexpectedEnd => f.write_str("the data ends too early"),
            Self::NumberTooLarge => f.write_str("a number is larger than its type allows"),
            Self::NotBool(byte) => write!(f, "{byte} is no truth value"),
            Self::UnknownVariant(number) => write!(f, "there is no variant {number}"),
            Self::NotUtf8 => f.write_str("a text is not UTF-8"),
            Self::Trailing(count) => write!(f, "{count} bytes too many"),
        }
    }
}

impl std::error::Error for WireError {}
