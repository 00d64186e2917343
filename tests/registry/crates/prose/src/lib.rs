//! Counts the words of a text.

use std::collections::HashMap;

/// How often each word occurs, in lower case.
pub fn count(text: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for word in text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_insert(0) += 1;
    }
    counts
}

/// How many vowels a text has.
pub fn vowels(text: &str) -> usize {
    text.chars().filter(|letter| "aeiouAEIOU".contains(*letter)).count()
}

/// A text of so many words.
pub fn sample(words: usize) -> String {
    const WORDS: [&str; 7] = ["The", "quick", "brown", "fox", "jumps", "over", "it."];
    (0..words).map(|number| WORDS[number * number % 7]).collect::<Vec<_>>().join(" ")
}
