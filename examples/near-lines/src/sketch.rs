//! Sets of shingles, and sketches of them.

const SHINGLE: usize = 3;
const HASHES: usize = 32;
const ROWS: usize = 4;

pub const BANDS: usize = HASHES / ROWS;

/// The smallest hashes of a line's shingles, by hash function.
pub struct Sketch([u64; HASHES]);

impl Sketch {
    pub fn of(line: &str) -> Self {
        let mut smallest = [u64::MAX; HASHES];
        for shingle in shingles(line) {
            for (number, least) in smallest.iter_mut().enumerate() {
                *least = (*least).min(mix(shingle ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
            }
        }
        Self(smallest)
    }

    /// What lines have in common that are near each other, more likely than not.
    pub fn band(&self, band: usize) -> u64 {
        self.0[band * ROWS..(band + 1) * ROWS]
            .iter()
            .fold(band as u64, |hash, &value| mix(hash ^ value))
    }
}

/// The share of shingles that two lines have in common, of all that they have.
pub fn similarity(left: &str, right: &str) -> f64 {
    let (left, right) = (sorted(left), sorted(right));
    let (mut i, mut j, mut common) = (0, 0, 0_usize);
    while i < left.len() && j < right.len() {
        match left[i].cmp(&right[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                common += 1;
                i += 1;
                j += 1;
            }
        }
    }
    let all = left.len() + right.len() - common;
    if all == 0 {
        1.0
    } else {
        common as f64 / all as f64
    }
}

fn sorted(line: &str) -> Vec<u64> {
    let mut found: Vec<u64> = shingles(line).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Three letters each, without regard to case and punctuation.
fn shingles(line: &str) -> impl Iterator<Item = u64> + '_ {
    let mut window = [0_u32; SHINGLE];
    line.chars()
        .filter(|letter| letter.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .enumerate()
        .filter_map(move |(number, letter)| {
            window.rotate_left(1);
            window[SHINGLE - 1] = letter as u32;
            (number + 1 >= SHINGLE).then(|| {
                window
                    .iter()
                    .fold(0, |packed, &letter| packed << 21 | u64::from(letter))
            })
        })
}

fn mix(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}
