//! The same sum in two ways: for every CPU, and for those with AVX2, which is found out when the program starts.
//!
//! The code is written once. What differs is what the compiler may use for it: under `#[target_feature]` it multiplies
//! eight lanes by one instruction, and calling that is sound only where the CPU has been asked.

/// How many sums are kept side by side: enough to fill the widest registers while others are being multiplied.
pub const LANES: usize = 64;

const PRIME: u32 = 0x0100_0193;

/// A checksum that is being made.
pub struct Checksum {
    lanes: [u32; LANES],
    add: fn(&mut [u32; LANES], &[u32]),
}

impl Checksum {
    /// One that every CPU of the target can make.
    pub fn new() -> Self {
        Self { lanes: [0x811c_9dc5; LANES], add }
    }

    /// The same, as fast as this CPU can.
    pub fn for_this_cpu(self) -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // Safety: the CPU has been asked.
            return Self { add: |lanes, numbers| unsafe { add_avx2(lanes, numbers) }, ..self };
        }
        self
    }

    /// Adds numbers, whole rows of lanes.
    pub fn add(&mut self, numbers: &[u32]) {
        (self.add)(&mut self.lanes, numbers);
    }

    /// All lanes in one.
    pub fn finish(&self) -> u32 {
        self.lanes.iter().fold(0, |sum, lane| (sum ^ lane).wrapping_mul(PRIME))
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn add_avx2(lanes: &mut [u32; LANES], numbers: &[u32]) {
    add(lanes, numbers);
}

#[inline(always)]
fn add(lanes: &mut [u32; LANES], numbers: &[u32]) {
    for row in numbers.chunks_exact(LANES) {
        for (lane, number) in lanes.iter_mut().zip(row) {
            *lane = (*lane ^ number).wrapping_mul(PRIME);
        }
    }
}
