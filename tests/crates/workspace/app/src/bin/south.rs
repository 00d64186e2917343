//! Counts the other way.

fn main() {
    let rounds = std::env::args().nth(1).map_or(1000, |word| word.parse().unwrap());
    println!("south {}", app::walk(rounds, steps::down));
}
