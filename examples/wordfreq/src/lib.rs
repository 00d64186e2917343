//! Word frequencies of texts.
//!
//! A word is a run of letters, with single apostrophes or hyphens inside; case does not matter, in any script.

pub mod counter;
pub mod hash;
pub mod options;
pub mod words;
