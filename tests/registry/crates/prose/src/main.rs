//! Counts the words of a made-up text of so many words.

fn main() {
    let words = std::env::args().nth(1).map_or(1000, |word| word.parse().unwrap());
    let text = prose::sample(words);
    let mut counts: Vec<_> = prose::count(&text).into_iter().collect();
    counts.sort();
    println!("{counts:?} {}", prose::vowels(&text));
}
