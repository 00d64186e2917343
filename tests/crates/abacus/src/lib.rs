//! Sums and products of whole numbers, in Polish notation: `+ 1 * 2 3`.

/// The value of an expression; what cannot be read counts as zero.
pub fn evaluate(text: &str) -> i64 {
    term(&mut text.split_whitespace())
}

fn term<'a>(words: &mut impl Iterator<Item = &'a str>) -> i64 {
    match words.next() {
        Some("+") => term(words).wrapping_add(term(words)),
        Some("*") => term(words).wrapping_mul(term(words)),
        Some(word) => digits::number(word),
        None => 0,
    }
}

/// A long expression.
pub fn sample(terms: usize) -> String {
    let mut text = String::new();
    for term in 0..terms {
        text.push_str(if term % 3 == 0 { "* " } else { "+ " });
        text.push_str(&format!("{term} "));
    }
    text + "1"
}

#[cfg(test)]
mod tests {
    #[test]
    fn products_come_first() {
        assert!(digits::is_number("7"));
        assert_eq!(super::evaluate("+ 1 * 2 3"), 7);
    }
}
