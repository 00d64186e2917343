//! Source text -> tokens.

use std::iter::Peekable;
use std::str::CharIndices;

use crate::error::Error;

/// The smallest unit of meaning.
#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// An integer literal.
    Int(i64),
    /// A floating-point literal.
    Float(f64),
    /// A string literal, its escapes resolved.
    Str(String),
    /// A name.
    Name(String),
    /// A word with a meaning of its own.
    Keyword(&'static str),
    /// An operator or a bracket.
    Symbol(&'static str),
    /// The end of the text.
    End,
}

const KEYWORDS: [&str; 16] = [
    "and", "break", "continue", "else", "false", "fn", "for", "if", "in", "let", "nil", "not", "or", "return", "true",
    "while",
];
// Longer symbols come first, so that `<=` is not read as `<` and `=`.
const SYMBOLS: [&str; 23] = [
    "..", "==", "!=", "<=", ">=", "(", ")", "{", "}", "[", "]", ",", ";", ":", ".", "=", "<", ">", "+", "-", "*", "/",
    "%",
];

/// Split a source text into tokens with their lines; the last one is [`Token::End`].
///
/// # Errors
///
/// A character that starts no token, an unfinished string, or a number that does not fit.
pub fn tokens(source: &str) -> Result<Vec<(Token, u32)>, Error> {
    let mut lexer = Lexer {
        source,
        rest: source.char_indices().peekable(),
        line: 1,
    };
    let mut found = Vec::new();
    while let Some(start) = lexer.skip_blanks() {
        let line = lexer.line;
        found.push((lexer.token(start)?, line));
    }
    found.push((Token::End, lexer.line));
    Ok(found)
}

struct Lexer<'s> {
    source: &'s str,
    rest: Peekable<CharIndices<'s>>,
    line: u32,
}

impl<'s> Lexer<'s> {
    /// Pass over white space and comments; the position of what follows.
    fn skip_blanks(&mut self) -> Option<usize> {
        while let Some(&(position, character)) = self.rest.peek() {
            match character {
                '\n' => self.line += 1,
                '#' => {
                    while self.rest.next_if(|&(_, c)| c != '\n').is_some() {}
                    continue;
                }
                _ if character.is_whitespace() => {}
                _ => return Some(position),
            }
            self.rest.next();
        }
        None
    }

    fn token(&mut self, start: usize) -> Result<Token, Error> {
        let text = &self.source[start..];
        match text.chars().next() {
            Some('0'..='9') => self.number(start),
            Some('"') => self.string(),
            Some(c) if c.is_alphabetic() || c == '_' => Ok(self.word(start)),
            Some(other) => {
                let symbol = SYMBOLS.into_iter().find(|symbol| text.starts_with(symbol));
                let symbol = symbol.ok_or_else(|| Error::new(self.line, format!("unexpected character {other:?}")))?;
                self.rest.nth(symbol.len() - 1);
                Ok(Token::Symbol(symbol))
            }
            None => Ok(Token::End),
        }
    }

    fn word(&mut self, start: usize) -> Token {
        let word = self.take_while(start, |c| c.is_alphanumeric() || c == '_');
        match KEYWORDS.into_iter().find(|&keyword| keyword == word) {
            Some(keyword) => Token::Keyword(keyword),
            None => Token::Name(word.to_owned()),
        }
    }

    fn number(&mut self, start: usize) -> Result<Token, Error> {
        let whole = self.take_while(start, |c| c.is_ascii_digit());
        let after = &self.source[start + whole.len()..];
        // `0..9` is a range, `0.9` is a number.
        let is_float = after.starts_with('.') && after[1..].starts_with(|c: char| c.is_ascii_digit());
        if !is_float {
            return whole
                .parse()
                .map(Token::Int)
                .map_err(|_| Error::new(self.line, format!("{whole} does not fit into 64 bits")));
        }
        self.rest.next();
        let fraction = self.take_while(start + whole.len() + 1, |c| c.is_ascii_digit());
        let literal = &self.source[start..start + whole.len() + 1 + fraction.len()];
        literal
            .parse()
            .map(Token::Float)
            .map_err(|_| Error::new(self.line, format!("{literal} is not a number")))
    }

    fn string(&mut self) -> Result<Token, Error> {
        let first_line = self.line;
        let mut text = String::new();
        self.rest.next();
        while let Some((_, character)) = self.rest.next() {
            match character {
                '"' => return Ok(Token::Str(text)),
                '\\' => text.push(self.escape()?),
                _ => {
                    self.line += u32::from(character == '\n');
                    text.push(character);
                }
            }
        }
        Err(Error::new(first_line, "this string has no end"))
    }

    fn escape(&mut self) -> Result<char, Error> {
        match self.rest.next() {
            Some((_, 'n')) => Ok('\n'),
            Some((_, 't')) => Ok('\t'),
            Some((_, same @ ('"' | '\\'))) => Ok(same),
            _ => Err(Error::new(self.line, r#"expected \n, \t, \" or \\"#)),
        }
    }

    fn take_while(&mut self, start: usize, belongs: impl Fn(char) -> bool) -> &'s str {
        while self.rest.next_if(|&(_, c)| belongs(c)).is_some() {}
        let end = self.rest.peek().map_or(self.source.len(), |&(position, _)| position);
        &self.source[start..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(source: &str) -> Vec<Token> {
        tokens(source).unwrap().into_iter().map(|(token, _)| token).collect()
    }

    #[test]
    fn a_range_is_not_a_float() {
        assert_eq!(
            kinds("0..9 0.5"),
            [
                Token::Int(0),
                Token::Symbol(".."),
                Token::Int(9),
                Token::Float(0.5),
                Token::End
            ]
        );
    }

    #[test]
    fn the_longest_symbol_wins() {
        assert_eq!(
            kinds("a<=b"),
            [
                Token::Name("a".into()),
                Token::Symbol("<="),
                Token::Name("b".into()),
                Token::End
            ]
        );
    }

    #[test]
    fn lines_are_counted_through_comments_and_strings() {
        let found = tokens("# one\n\"a\nb\" x").unwrap();
        assert_eq!(found[0], (Token::Str("a\nb".into()), 2));
        assert_eq!(found[1], (Token::Name("x".into()), 3));
    }

    #[test]
    fn an_unfinished_string_is_reported_where_it_starts() {
        assert_eq!(tokens("\n\"abc\n").unwrap_err().line, 2);
    }
}
