//! Evaluates expressions: as arguments, or a long one again and again.

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [option, count] if option == "--repeat" => println!("{}", repeat(count.parse().unwrap())),
        _ => arguments.iter().for_each(|text| println!("{}", abacus::evaluate(text))),
    }
}

fn repeat(count: usize) -> i64 {
    let text = abacus::sample(200);
    (0..count).fold(0, |sum: i64, _| sum.wrapping_add(abacus::evaluate(&text)))
}
