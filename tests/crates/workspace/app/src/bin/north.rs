//! Counts one way.

fn main() {
    let rounds = std::env::args().nth(1).map_or(1000, |word| word.parse().unwrap());
    println!("north {}", app::walk(rounds, steps::up));
}
