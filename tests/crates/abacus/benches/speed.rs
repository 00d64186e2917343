//! A bench of its own making: so many expressions, and the arguments that it was given.

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = abacus::sample(200);
    let total = (0..20_000).fold(0, |sum: i64, _| sum.wrapping_add(abacus::evaluate(&text)));
    println!("{total} {}", arguments.join(" "));
}
