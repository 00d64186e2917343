//! Adds up what a function of C says of all numbers below one, and what a function of Rust says.

unsafe extern "C" {
    fn mix(number: u64) -> u64;
}

fn fold(number: u64) -> u64 {
    (0..number % 64).fold(number, |sum, round| if sum % 3 == round % 3 { sum / 2 } else { sum * 5 + round })
}

fn main() {
    let below: u64 = std::env::args().nth(1).expect("usage: native NUMBER").parse().expect("not a number");
    // Safety: it takes and gives a number.
    let sum = (1..below).fold(0u64, |sum, number| sum.wrapping_add(unsafe { mix(number) }).wrapping_add(fold(number)));
    println!("{sum}");
}
