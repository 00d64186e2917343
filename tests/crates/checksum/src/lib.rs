//! A library for other languages: Adler-32 over bytes.

/// Adds bytes to a checksum, which begins with 1.
///
/// # Safety
///
/// `data` points to `length` bytes, or `length` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn checksum(sum: u32, data: *const u8, length: usize) -> u32 {
    if length == 0 {
        return sum;
    }
    // Safety: as the caller has promised.
    add(sum, unsafe { std::slice::from_raw_parts(data, length) })
}

fn add(sum: u32, bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (sum & 0xffff, sum >> 16);
    for &byte in bytes {
        low = (low + u32::from(byte)) % 65521;
        high = (high + low) % 65521;
    }
    high << 16 | low
}
