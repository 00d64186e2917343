//! What both programs share.

steps_macros::make_answer!();

/// Computed by the build script.
pub const SQUARES: [u64; 16] = include!(concat!(env!("OUT_DIR"), "/squares.rs"));

/// Walks `rounds` times over the table.
pub fn walk(rounds: u64, turn: fn(u64) -> u64) -> u64 {
    (0..rounds).map(|round| turn(SQUARES[(round % 16) as usize] + answer())).fold(0, u64::wrapping_add)
}
