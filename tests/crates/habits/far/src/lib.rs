//! A crate whose function is called often from another crate, and is not inlined there: its body calls another one.

pub fn mixed(value: u64) -> u64 {
    if value == u64::MAX {
        return last();
    }
    let turned = value.rotate_left(23) ^ 0x9e37_79b9_7f4a_7c15;
    let other = turned.wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (turned >> 31);
    let third = other.wrapping_mul(0x94d0_49bb_1331_11eb) ^ (other >> 29);
    third.rotate_right(7) ^ (third >> 13)
}

#[cold]
#[inline(never)]
fn last() -> u64 {
    std::hint::black_box(1)
}
