//! A dependency by path, with some control flow to count.

/// The Collatz length of a number.
#[inline(never)]
pub fn up(mut number: u64) -> u64 {
    let mut steps = 0;
    while number > 1 {
        number = if number % 2 == 0 { number / 2 } else { 3 * number + 1 };
        steps += 1;
    }
    steps
}

/// How often a number can be halved or lessened until nothing is left.
#[inline(never)]
pub fn down(mut number: u64) -> u64 {
    let mut steps = 0;
    while number > 0 {
        number = if number % 2 == 0 { number / 2 } else { number - 1 };
        steps += 1;
    }
    steps
}
