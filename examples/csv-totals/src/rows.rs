//! Rows of a CSV file, quotes included, without copying what is not quoted.

use std::borrow::Cow;

pub struct Rows<'a> {
    rest: &'a [u8],
    fields: Vec<Cow<'a, [u8]>>,
}

impl<'a> Rows<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self { rest: data, fields: Vec::new() }
    }

    /// The fields of the next row; none at the end.
    pub fn next_row(&mut self) -> Option<&[Cow<'a, [u8]>]> {
        if self.rest.is_empty() {
            return None;
        }
        self.fields.clear();
        loop {
            let field = if self.rest.first() == Some(&b'"') { self.quoted() } else { self.plain() };
            self.fields.push(field);
            match self.rest.split_first() {
                Some((b',', rest)) => self.rest = rest,
                Some((_, rest)) => {
                    self.rest = rest;
                    return Some(&self.fields);
                }
                None => return Some(&self.fields),
            }
        }
    }

    fn plain(&mut self) -> Cow<'a, [u8]> {
        let end = self.rest.iter().position(|&byte| byte == b',' || byte == b'\n');
        let (field, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        Cow::Borrowed(field)
    }

    fn quoted(&mut self) -> Cow<'a, [u8]> {
        let mut field = Vec::new();
        let mut place = 1;
        while let Some(&byte) = self.rest.get(place) {
            place += 1;
            if byte != b'"' {
                field.push(byte);
            } else if self.rest.get(place) == Some(&b'"') {
                field.push(b'"');
                place += 1;
            } else {
                break;
            }
        }
        let end = self.rest[place..].iter().position(|&byte| byte == b',' || byte == b'\n');
        self.rest = &self.rest[end.map_or(self.rest.len(), |end| place + end)..];
        Cow::Owned(field)
    }
}
