//! A hash for short texts: FNV-1a, fast where keys are a few bytes long, and the same in every run.
//!
//! Collisions can be provoked on purpose, which makes counting slow but never wrong.

use std::hash::{BuildHasherDefault, Hasher};

/// Makes a [`Fnv1a`] for each key.
pub type BuildFnv1a = BuildHasherDefault<Fnv1a>;

/// The state of the 64-bit FNV-1a hash.
#[derive(Debug, Clone, Copy)]
pub struct Fnv1a(u64);

impl Default for Fnv1a {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv1a {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_published_hash() {
        let mut hasher = Fnv1a::default();
        hasher.write(b"foobar");
        assert_eq!(hasher.finish(), 0x8594_4171_f739_67e8);
    }
}
