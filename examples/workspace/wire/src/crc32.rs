//! The CRC-32 checksum of IEEE 802.3, as zip and PNG use it.

include!(concat!(env!("OUT_DIR"), "/crc32_tables.rs"));

/// The checksum of these bytes.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    let mut chunks = bytes.chunks_exact(TABLES.len());
    for chunk in &mut chunks {
        crc = after_eight(crc, chunk);
    }
    for &byte in chunks.remainder() {
        crc = (crc >> 8) ^ TABLES[0][usize::from(crc as u8 ^ byte)];
    }
    !crc
}

/// Take eight bytes at once: each is looked up in the table for the zero bytes that would follow it.
fn after_eight(crc: u32, chunk: &[u8]) -> u32 {
    let start = crc.to_le_bytes();
    let mixed = |position: usize| chunk[position] ^ start.get(position).copied().unwrap_or(0);
    (0..TABLES.len()).fold(0, |sum, position| {
        sum ^ TABLES[TABLES.len() - 1 - position][usize::from(mixed(position))]
    })
}

#[cfg(test)]
mod tests {
    use super::checksum;

    #[test]
    fn it_is_the_published_checksum() {
        assert_eq!(checksum(b""), 0);
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
        assert_eq!(checksum(b"The quick brown fox jumps over the lazy dog"), 0x414f_a339);
    }
}
