//! Checksums made-up numbers, over and over: `lanesum SEED ROUNDS [--portable]`.

mod checksum;

use checksum::{Checksum, LANES};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| words.get(index).and_then(|word| word.parse::<u64>().ok());
    let (Some(seed), Some(rounds)) = (number(0), number(1)) else {
        eprintln!("usage: lanesum SEED ROUNDS [--portable]");
        std::process::exit(2);
    };
    let numbers = make_numbers(seed, LANES * 128);
    let mut checksum = Checksum::new();
    if !words.iter().any(|word| word == "--portable") {
        checksum = checksum.for_this_cpu();
    }
    for _ in 0..rounds {
        checksum.add(&numbers);
    }
    println!("{:08x}", checksum.finish());
}

/// Numbers that look random, the same for the same seed everywhere.
fn make_numbers(seed: u64, count: usize) -> Vec<u32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u32
        })
        .collect()
}
