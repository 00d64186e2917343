//! Readings of weather stations, as lines of text and as a compact file with checksums.

pub mod container;
pub mod program;
pub mod reading;
pub mod text;
