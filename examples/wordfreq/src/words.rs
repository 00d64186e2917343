//! Text -> words in lower case.

/// Call `found` with every word of a text, in lower case, and its number of letters.
///
/// The word is lent: it lives in a buffer that the next word reuses.
pub fn for_each_word(text: &str, mut found: impl FnMut(&str, usize)) {
    let mut scanner = Scanner::default();
    for character in text.chars() {
        if !scanner.take(character) {
            scanner.end_word(&mut found);
        }
    }
    scanner.end_word(&mut found);
}

/// A word that is being read.
#[derive(Default)]
struct Scanner {
    word: String,
    letters: usize,
    /// An apostrophe or hyphen after the last letter: part of the word only if another letter follows.
    joint: Option<char>,
}

impl Scanner {
    /// Take a character into the word; false when it is no part of one.
    fn take(&mut self, character: char) -> bool {
        if is_letter(character) {
            if let Some(joint) = self.joint.take() {
                self.word.push(joint);
            }
            self.push_lowercase(character);
            self.letters += 1;
            return true;
        }
        if self.word.is_empty() || self.joint.is_some() {
            return false;
        }
        if is_combining_mark(character) {
            self.word.push(character);
            return true;
        }
        self.joint = as_joint(character);
        self.joint.is_some()
    }

    fn push_lowercase(&mut self, character: char) {
        if character.is_ascii() {
            self.word.push(character.to_ascii_lowercase());
        } else {
            self.word.extend(character.to_lowercase());
        }
    }

    fn end_word(&mut self, found: &mut impl FnMut(&str, usize)) {
        if !self.word.is_empty() {
            found(&self.word, self.letters);
        }
        self.word.clear();
        self.letters = 0;
        self.joint = None;
    }
}

fn is_letter(character: char) -> bool {
    if character.is_ascii() {
        character.is_ascii_alphabetic()
    } else {
        character.is_alphabetic()
    }
}

/// Accents that texts may write as characters of their own.
fn is_combining_mark(character: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&character)
}

/// The one form in which a joint is kept: typographic apostrophes and hyphens count as the plain ones.
fn as_joint(character: char) -> Option<char> {
    match character {
        '\'' | '\u{2019}' => Some('\''),
        '-' | '\u{2010}' | '\u{2011}' => Some('-'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        for_each_word(text, |word, _| words.push(word.to_owned()));
        words
    }

    #[test]
    fn case_does_not_matter_in_any_script() {
        assert_eq!(words("Über STRASSE Ψυχή Мир"), ["über", "strasse", "ψυχή", "мир"]);
    }

    #[test]
    fn joints_count_only_between_letters() {
        assert_eq!(
            words("don\u{2019}t 'quote' well-known a--b"),
            ["don't", "quote", "well-known", "a", "b"]
        );
    }

    #[test]
    fn digits_and_signs_separate_words() {
        assert_eq!(words("one2two, three…"), ["one", "two", "three"]);
    }

    #[test]
    fn letters_are_counted_not_bytes() {
        let mut lengths = Vec::new();
        for_each_word("naïve don't", |_, letters| lengths.push(letters));
        assert_eq!(lengths, [5, 4]);
    }

    #[test]
    fn combining_accents_stay_with_their_letter() {
        assert_eq!(words("e\u{301}te\u{301} x"), ["e\u{301}te\u{301}", "x"]);
    }
}
