//! Counts the letters of a text.

/// How many vowels a text has.
pub fn vowels(text: &str) -> usize {
    text.chars().filter(|letter| "aeiouAEIOU".contains(*letter)).count()
}

/// A text of so many words.
pub fn sample(words: usize) -> String {
    const WORDS: [&str; 7] = ["The", "quick", "brown", "fox", "jumps", "over", "it."];
    (0..words).map(|number| WORDS[number * number % 7]).collect::<Vec<_>>().join(" ")
}
