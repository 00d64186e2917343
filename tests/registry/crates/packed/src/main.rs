//! Packs a made-up text of so many lines, unpacks it, and says what came of it.

fn main() {
    let lines: usize = std::env::args().nth(1).expect("usage: packed LINES").parse().expect("not a number");
    let text: String = (0..lines).map(|line| format!("line {line} of a text, {}\n", line * line % 997)).collect();
    let packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
    let unpacked = zstd::decode_all(packed.as_slice()).unwrap();
    assert_eq!(unpacked, text.as_bytes());
    println!("{} of {} bytes", packed.len(), text.len());
}
