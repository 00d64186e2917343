//! Reads numbers.

/// The number that a word is; zero where it is none.
#[inline(never)]
pub fn number(word: &str) -> i64 {
    word.parse().unwrap_or(0)
}

/// Whether a word is a number.
#[cfg(feature = "strict")]
pub fn is_number(word: &str) -> bool {
    word.parse::<i64>().is_ok()
}
