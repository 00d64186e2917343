//! Adds up the Collatz lengths of all numbers below those in a file.

fn length(mut number: u64) -> u64 {
    let mut steps = 0;
    while number > 1 {
        number = if number % 2 == 0 { number / 2 } else { 3 * number + 1 };
        steps += 1;
    }
    steps
}

fn main() {
    let path = std::env::args_os().nth(1).expect("usage: tally FILE");
    let text = std::fs::read_to_string(path).expect("cannot read the file");
    for line in text.lines() {
        let below: u64 = line.trim().parse().expect("not a number");
        println!("{below}: {}", (1..below).map(length).sum::<u64>());
    }
}
