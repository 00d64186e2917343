//! Adds up a column of a CSV file, grouped by another one.

mod groups;
mod rows;

use std::env;
use std::fs;
use std::process::ExitCode;

use groups::Groups;
use rows::Rows;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [file, key, value] = arguments.as_slice() else {
        eprintln!("usage: csv-totals FILE KEY-COLUMN VALUE-COLUMN");
        return ExitCode::from(2);
    };
    match totals(file, key, value) {
        Ok(groups) => {
            for (name, total) in groups.sorted() {
                println!("{}.{:02} {}", total / 100, total % 100, String::from_utf8_lossy(name));
            }
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn totals(file: &str, key: &str, value: &str) -> Result<Groups, String> {
    let data = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let mut rows = Rows::new(&data);
    let header = rows.next_row().ok_or("the file is empty")?.to_vec();
    let column = |name: &str| {
        let place = header.iter().position(|field| **field == *name.as_bytes());
        place.ok_or_else(|| format!("there is no column {name}"))
    };
    let (key, value) = (column(key)?, column(value)?);
    let mut groups = Groups::new();
    while let Some(row) = rows.next_row() {
        if let (Some(name), Some(amount)) = (row.get(key), row.get(value)) {
            groups.add(name, cents(amount));
        }
    }
    Ok(groups)
}

/// The hundredths of a decimal number; what is no number counts as nothing.
fn cents(text: &[u8]) -> u64 {
    let (mut total, mut decimals) = (0_u64, None);
    for &byte in text {
        match byte {
            b'0'..=b'9' if decimals != Some(2) => {
                total = total.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                decimals = decimals.map(|count| count + 1);
            }
            b'0'..=b'9' => {}
            b'.' => decimals = decimals.or(Some(0)),
            b' ' | b'$' => {}
            _ => return 0,
        }
    }
    total * 10_u64.pow(2 - decimals.unwrap_or(0))
}
