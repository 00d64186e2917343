//! What all programs of the workspace share.

/// How many steps a number takes to 1 by the rule of Collatz.
pub fn length(mut number: u64) -> u64 {
    let mut steps = 0;
    while number > 1 {
        number = if number.is_multiple_of(2) { number / 2 } else { 3 * number + 1 };
        steps += 1;
    }
    steps
}

/// Adds up the lengths of all numbers below one, and says so as the features have it.
pub fn describe(who: &str, below: u64) -> String {
    let sum: u64 = (1..below).map(length).sum();
    if cfg!(feature = "loud") { format!("{who}: {sum}!") } else { format!("{who}: {sum}") }
}

/// The number on the command line.
pub fn below() -> u64 {
    std::env::args().nth(1).expect("usage: PROGRAM NUMBER").parse().expect("not a number")
}
