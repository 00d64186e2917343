//! Adds up what functions of three languages say of all numbers below one.

#[allow(dead_code)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

fn fold(number: u64) -> u64 {
    (0..number % 64).fold(number, |sum, round| if sum % 3 == round % 3 { sum / 2 } else { sum * 5 + round })
}

fn main() {
    let below: u64 = std::env::args().nth(1).expect("usage: foreign NUMBER").parse().expect("not a number");
    // Safety: both take and give a number.
    let native = |number| unsafe { bindings::mix(number).wrapping_add(bindings::turn(number)) };
    println!("{}", (1..below).fold(0u64, |sum, number| sum.wrapping_add(native(number)).wrapping_add(fold(number))));
}
