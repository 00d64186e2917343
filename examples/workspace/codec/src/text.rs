//! Readings as lines: time, station, temperature, humidity, quality and note, with tabs between them.

use std::fmt::{self, Write};

use crate::reading::{Quality, Reading};

/// A line that is no reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextError {
    /// From 1.
    pub line: usize,
    /// The column that cannot be read.
    pub column: &'static str,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: bad {}", self.line, self.column)
    }
}

/// Read all lines.
///
/// # Errors
///
/// The first line that is no reading.
pub fn parse(text: &str) -> Result<Vec<Reading>, TextError> {
    let numbered = text.lines().zip(1..);
    numbered
        .map(|(content, line)| parse_line(content).map_err(|column| TextError { line, column }))
        .collect()
}

/// Read one line; an error is the name of the column.
fn parse_line(line: &str) -> Result<Reading, &'static str> {
    let mut columns = line.split('\t');
    let mut column = |name| columns.next().ok_or(name);
    let time = column("time")?.parse().map_err(|_| "time")?;
    let station = column("station")?.parse().map_err(|_| "station")?;
    let temperature = parse_hundredths(column("temperature")?).ok_or("temperature")?;
    let humidity = match column("humidity")? {
        "-" => None,
        percent => Some(percent.parse().map_err(|_| "humidity")?),
    };
    let quality = parse_quality(column("quality")?).ok_or("quality")?;
    let note = column("note")?.to_owned();
    if columns.next().is_some() {
        return Err("number of columns");
    }
    Ok(Reading {
        time,
        station,
        temperature,
        humidity,
        quality,
        note,
    })
}

/// Read `-12.34` exactly; always with two digits after the point.
fn parse_hundredths(text: &str) -> Option<i32> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.')?;
    if fraction.len() != 2 || whole.is_empty() {
        return None;
    }
    let mut number = 0_i32;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(i32::from(byte - b'0'))?;
    }
    Some(sign * number)
}

fn parse_quality(text: &str) -> Option<Quality> {
    match text {
        "good" => Some(Quality::Good),
        "suspect" => Some(Quality::Suspect),
        "estimated" => Some(Quality::Estimated),
        _ => None,
    }
}

/// Write readings as lines.
#[must_use]
pub fn render(readings: &[Reading]) -> String {
    let mut text = String::new();
    for reading in readings {
        render_line(reading, &mut text).expect("a string takes everything");
    }
    text
}

fn render_line(reading: &Reading, text: &mut String) -> fmt::Result {
    let hundredths = reading.temperature.unsigned_abs();
    let sign = if reading.temperature < 0 { "-" } else { "" };
    write!(text, "{}\t{}\t{sign}", reading.time, reading.station)?;
    write!(text, "{}.{:02}\t", hundredths / 100, hundredths % 100)?;
    match reading.humidity {
        Some(percent) => write!(text, "{percent}")?,
        None => text.push('-'),
    }
    let quality = match reading.quality {
        Quality::Good => "good",
        Quality::Suspect => "suspect",
        Quality::Estimated => "estimated",
    };
    writeln!(text, "\t{quality}\t{}", reading.note)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "0\t7\t-0.05\t-\tgood\t\n60\t4000000000\t21.50\t87\testimated\tHagel, stürmisch\n";

    #[test]
    fn lines_survive() {
        assert_eq!(render(&parse(LINES).unwrap()), LINES);
    }

    #[test]
    fn temperatures_are_exact() {
        assert_eq!(parse(LINES).unwrap()[0].temperature, -5);
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = parse(&format!("{LINES}1\t2\t3.1\t4\tgood\t\n")).unwrap_err();
        assert_eq!(error.to_string(), "line 3: bad temperature");
    }
}
