//! A crate whose function is called often from another crate, and cannot be inlined there.

pub fn mixed(value: u64) -> u64 {
    let turned = value.rotate_left(23) ^ 0x9e37_79b9_7f4a_7c15;
    let other = turned.wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (turned >> 31);
    let third = other.wrapping_mul(0x94d0_49bb_1331_11eb) ^ (other >> 29) ^ value.count_ones() as u64;
    third.wrapping_add(value.leading_zeros() as u64).rotate_right(7) ^ (third >> 13) ^ (third << 3)
}
