//! Tables: a hash map whose order of work is the same in every run.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use crate::error::Fault;
use crate::value::Value;

/// What a table can look up.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A whole number.
    Int(i64),
    /// A text.
    Str(Rc<str>),
}

impl Key {
    /// Use a value as a key.
    ///
    /// # Errors
    ///
    /// It is neither an integer nor a string.
    pub fn from_value(value: &Value) -> Result<Self, Fault> {
        match value {
            Value::Int(number) => Ok(Self::Int(*number)),
            Value::Str(text) => Ok(Self::Str(Rc::clone(text))),
            other => Err(Fault::Key(other.kind())),
        }
    }

    /// The key as a value.
    pub fn into_value(self) -> Value {
        match self {
            Self::Int(number) => Value::Int(number),
            Self::Str(text) => Value::Str(text),
        }
    }
}

/// Values by key.
pub type Table = HashMap<Key, Value, BuildHasherDefault<KeyHasher>>;

/// A fast hash without a random seed, so that equal programs do equal work.
///
/// Programs here are trusted: whoever writes one may slow it down in simpler ways than by colliding keys.
#[derive(Debug, Default, Clone, Copy)]
pub struct KeyHasher(u64);

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

impl KeyHasher {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER);
    }
}

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.mix(u64::from_le_bytes(chunk.try_into().expect("eight bytes")));
        }
        for &byte in chunks.remainder() {
            self.mix(u64::from(byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

/// The keys of a table in order: integers first, then strings.
pub fn sorted_keys(table: &Table) -> Vec<Key> {
    let mut keys: Vec<Key> = table.keys().cloned().collect();
    keys.sort_unstable();
    keys
}
