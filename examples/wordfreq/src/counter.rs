//! How often each word was seen.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::hash::BuildFnv1a;
use crate::words::for_each_word;

/// Counts of words.
#[derive(Debug, Default)]
pub struct Counter {
    counts: HashMap<Box<str>, u64, BuildFnv1a>,
    min_length: usize,
    total: u64,
}

impl Counter {
    /// Make a counter that leaves out words of fewer letters.
    #[must_use]
    pub fn new(min_length: usize) -> Self {
        Self {
            min_length,
            ..Self::default()
        }
    }

    /// Count the words of a text.
    pub fn add_text(&mut self, text: &str) {
        for_each_word(text, |word, letters| {
            if letters >= self.min_length {
                self.add(word);
            }
        });
    }

    /// Most words were seen before: only a new one is copied.
    fn add(&mut self, word: &str) {
        self.total += 1;
        match self.counts.get_mut(word) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert(word.into(), 1);
            }
        }
    }

    /// How many words were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many different words were counted.
    #[must_use]
    pub fn different(&self) -> usize {
        self.counts.len()
    }

    /// The most frequent words with their counts; equally frequent ones in alphabetical order.
    #[must_use]
    pub fn most_frequent(&self, top: usize) -> Vec<(&str, u64)> {
        let mut ranking: Vec<(&str, u64)> = self.counts.iter().map(|(word, &count)| (&**word, count)).collect();
        ranking.sort_unstable_by_key(|&(word, count)| (Reverse(count), word));
        ranking.truncate(top);
        ranking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equally_frequent_words_are_sorted() {
        let mut counter = Counter::new(1);
        counter.add_text("pear fig apple");
        counter.add_text("Fig");
        assert_eq!(counter.most_frequent(2), [("fig", 2), ("apple", 1)]);
    }

    #[test]
    fn short_words_are_left_out() {
        let mut counter = Counter::new(4);
        counter.add_text("a few long words");
        assert_eq!((counter.total(), counter.different()), (2, 2));
    }
}
