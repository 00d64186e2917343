//! Writes the tables of the CRC-32 checksum into `OUT_DIR`.

use std::env;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// The polynomial of IEEE 802.3, its bits reversed.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// With eight tables eight bytes are taken at once.
const TABLES: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let directory = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: cargo runs build scripts")?;
    fs::write(Path::new(&directory).join("crc32_tables.rs"), source(&tables())?)?;
    Ok(())
}

/// Table 0 is the checksum of each byte; table n that of the byte followed by n zero bytes.
fn tables() -> Vec<Vec<u32>> {
    let first: Vec<u32> = (0..256).map(|byte| (0..8).fold(byte, |crc, _| shifted(crc))).collect();
    let mut tables = vec![first.clone()];
    for previous in 0..TABLES - 1 {
        let next = tables[previous]
            .iter()
            .map(|&crc| (crc >> 8) ^ first[(crc & 0xff) as usize]);
        let next = next.collect();
        tables.push(next);
    }
    tables
}

fn shifted(crc: u32) -> u32 {
    if crc & 1 == 1 {
        (crc >> 1) ^ POLYNOMIAL
    } else {
        crc >> 1
    }
}

fn source(tables: &[Vec<u32>]) -> Result<String, std::fmt::Error> {
    let mut text = format!("static TABLES: [[u32; 256]; {TABLES}] = [\n");
    for table in tables {
        text.push_str("    [\n");
        for row in table.chunks(8) {
            text.push_str("       ");
            for crc in row {
                write!(text, " {crc:#010x},")?;
            }
            text.push('\n');
        }
        text.push_str("    ],\n");
    }
    text.push_str("];\n");
    Ok(text)
}
