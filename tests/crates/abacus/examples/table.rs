//! Prints products.

fn main() {
    for factor in 1..=9 {
        println!("{}", abacus::evaluate(&format!("* {factor} {factor}")));
    }
}
