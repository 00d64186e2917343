//! Readings as a file: a signature, then blocks, each with its length before and its checksum after it.

use std::fmt;

use wire::crc32::checksum;
use wire::{from_bytes, Reader, Wire, WireError};

use crate::reading::Reading;

const SIGNATURE: &[u8] = b"WXR1";
const BLOCK_READINGS: usize = 512;

/// A file that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerError {
    /// It does not begin with the signature.
    Signature,
    /// The checksum of this block, counted from 0, is another one.
    Checksum(usize),
    /// This block cannot be read although its checksum may be right.
    Block(usize, WireError),
}

impl fmt::Display for ContainerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature => f.write_str("this is no file of readings"),
            Self::Checksum(number) => write!(f, "block {number} is damaged"),
            Self::Block(number, error) => write!(f, "block {number}: {error}"),
        }
    }
}

/// Write readings as a file.
#[must_use]
pub fn pack(readings: &[Reading]) -> Vec<u8> {
    let mut output = SIGNATURE.to_vec();
    let mut block = Vec::new();
    for readings in readings.chunks(BLOCK_READINGS) {
        block.clear();
        (readings.len() as u64).write(&mut block);
        for reading in readings {
            reading.write(&mut block);
        }
        (block.len() as u64).write(&mut output);
        output.extend_from_slice(&block);
        output.extend_from_slice(&checksum(&block).to_le_bytes());
    }
    output
}

/// Read all readings of a file.
///
/// # Errors
///
/// The first block that is damaged.
pub fn unpack(bytes: &[u8]) -> Result<Vec<Reading>, ContainerError> {
    let blocks = bytes.strip_prefix(SIGNATURE).ok_or(ContainerError::Signature)?;
    let mut reader = Reader::new(blocks);
    let mut readings = Vec::new();
    let mut number = 0;
    while reader.remaining() > 0 {
        let (block, sum) = next_block(&mut reader).map_err(|error| ContainerError::Block(number, error))?;
        if checksum(block).to_le_bytes() != sum {
            return Err(ContainerError::Checksum(number));
        }
        let of_block: Vec<Reading> = from_bytes(block).map_err(|error| ContainerError::Block(number, error))?;
        readings.extend(of_block);
        number += 1;
    }
    Ok(readings)
}

fn next_block<'b>(reader: &mut Reader<'b>) -> Result<(&'b [u8], &'b [u8]), WireError> {
    let length = reader.length()?;
    Ok((reader.bytes(length)?, reader.bytes(4)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Quality;

    fn readings(count: u64) -> Vec<Reading> {
        let reading = |time| Reading {
            time,
            station: 12,
            temperature: -345,
            humidity: Some(50),
            quality: Quality::Suspect,
            note: "fog".into(),
        };
        (0..count).map(reading).collect()
    }

    #[test]
    fn readings_survive_over_several_blocks() {
        for count in [0, 1, 512, 1300] {
            assert_eq!(unpack(&pack(&readings(count))), Ok(readings(count)));
        }
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let mut bytes = pack(&readings(600));
        let last = bytes.len() - 9;
        bytes[last] ^= 1;
        assert_eq!(unpack(&bytes), Err(ContainerError::Checksum(1)));
    }

    #[test]
    fn another_file_is_refused() {
        assert_eq!(unpack(b"PNG"), Err(ContainerError::Signature));
    }
}
