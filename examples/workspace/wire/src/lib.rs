//! A compact binary form of values, and a checksum for it.
//!
//! Integers take as many bytes as they need, seven bits each; texts and lists begin with their length.
//!
//! ```
//! use wire::{from_bytes, to_bytes, Wire};
//!
//! #[derive(Debug, PartialEq, Wire)]
//! struct Point {
//!     x: i32,
//!     y: i32,
//! }
//!
//! let bytes = to_bytes(&Point { x: 1, y: -1 });
//! assert_eq!(bytes, [2, 1]);
//! assert_eq!(from_bytes(&bytes), Ok(Point { x: 1, y: -1 }));
//! ```
//!
//! Types that have no such form are refused when they are compiled:
//!
//! ```compile_fail
//! #[derive(wire::Wire)]
//! struct Pair<T>(T, T);
//! ```

pub mod crc32;
mod error;
mod reader;
mod values;

pub use error::WireError;
pub use reader::Reader;
/// Derives [`trait@Wire`] for structs with named fields and enums without fields.
pub use wire_derive::Wire;

/// A value that has a binary form.
pub trait Wire: Sized {
    /// Append the binary form.
    fn write(&self, output: &mut Vec<u8>);

    /// Read a value from where the reader stands.
    ///
    /// # Errors
    ///
    /// The bytes are no binary form of such a value.
    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError>;
}

/// The binary form of a value.
pub fn to_bytes(value: &impl Wire) -> Vec<u8> {
    let mut output = Vec::new();
    value.write(&mut output);
    output
}

/// The value of which these bytes are the binary form.
///
/// # Errors
///
/// The bytes are no binary form of such a value, or more than that.
pub fn from_bytes<T: Wire>(bytes: &[u8]) -> Result<T, WireError> {
    let mut reader = Reader::new(bytes);
    let value = T::read(&mut reader)?;
    match reader.remaining() {
        0 => Ok(value),
        count => Err(WireError::Trailing(count)),
    }
}
