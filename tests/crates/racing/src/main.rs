//! Calls one function very often from several threads at once.

use std::{env, hint::black_box, thread};

#[inline(never)]
fn tick(number: u64) -> u64 {
    if black_box(number) % 2 == 0 { number + 1 } else { number }
}

fn main() {
    let mut arguments = env::args().skip(1).map(|word| word.parse().expect("usage: racing THREADS CALLS"));
    let threads: u64 = arguments.next().expect("usage: racing THREADS CALLS");
    let calls: u64 = arguments.next().expect("usage: racing THREADS CALLS");
    let workers: Vec<_> = (0..threads)
        .map(|_| thread::spawn(move || (0..calls).map(tick).fold(0, u64::wrapping_add)))
        .collect();
    let sum = workers.into_iter().map(|worker| worker.join().expect("a thread failed")).fold(0, u64::wrapping_add);
    println!("{sum}");
}
