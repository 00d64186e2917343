//! One habit a mode, each of which makes a program slow in its own way: `habits MODE TIMES`.

use std::collections::HashMap;
use std::hint::black_box;
use std::io::Read;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

fn main() {
    let mut words = std::env::args().skip(1);
    let mode = words.next().expect("usage: habits MODE TIMES");
    let times: u64 = words.next().expect("usage: habits MODE TIMES").parse().expect("not a number");
    let found = match mode.as_str() {
        "compute" => compute(times),
        "words" => own_words(times),
        "clone" => clones(times),
        "grow" => grow(times),
        "format" => formats(times),
        "dispatch" => dispatch(times),
        "far" => call_far(times),
        "kernel" => kernel(times),
        "wait" => wait(times),
        "sort" => sort(times),
        "serial" => serial(times),
        other => panic!("no habit is called {other}"),
    };
    println!("{found}");
}

/// Arithmetic in one loop of its own.
#[inline(never)]
fn compute(times: u64) -> u64 {
    let mut sum = 0u64;
    for start in 1..times {
        let mut number = start;
        while number > 1 {
            number = if number % 2 == 0 { number / 2 } else { 3 * number + 1 };
            sum += 1;
        }
    }
    sum
}

/// A string of its own for each word that is looked up.
#[inline(never)]
fn own_words(times: u64) -> u64 {
    let text = "the quick brown fox jumps over the lazy dog and the cat sees it all from far away";
    let mut counts: HashMap<String, u64> = HashMap::new();
    for _ in 0..times {
        for word in text.split(' ') {
            *counts.entry(word.to_string()).or_insert(0) += 1;
        }
    }
    counts.values().sum()
}

/// A copy where a reference would do.
#[inline(never)]
fn clones(times: u64) -> u64 {
    let numbers: Vec<u64> = (0..40).collect();
    let mut sum = 0;
    for _ in 0..times {
        let copy = black_box(&numbers).clone();
        sum += black_box(copy).len() as u64;
    }
    sum
}

/// Vectors that are grown step by step.
#[inline(never)]
fn grow(times: u64) -> u64 {
    let mut sum = 0;
    for round in 0..times {
        let mut numbers = Vec::new();
        for number in 0..100 {
            numbers.push(number ^ round);
        }
        sum += black_box(numbers).len() as u64;
    }
    sum
}

/// Text for each number, of which only the length is needed.
#[inline(never)]
fn formats(times: u64) -> u64 {
    (0..times).map(|number| format!("{number:>8}: {:x}", number * 3).len() as u64).sum()
}

trait Step {
    fn step(&self, value: u64) -> u64;
}
struct Add(u64);
struct Turn(u32);
struct Flip;
impl Step for Add {
    fn step(&self, value: u64) -> u64 {
        value.wrapping_add(self.0)
    }
}
impl Step for Turn {
    fn step(&self, value: u64) -> u64 {
        value.rotate_left(self.0)
    }
}
impl Step for Flip {
    fn step(&self, value: u64) -> u64 {
        !value
    }
}

/// Calls through a vtable whose targets are a few instructions each.
#[inline(never)]
fn dispatch(times: u64) -> u64 {
    let steps: Vec<Box<dyn Step>> = vec![Box::new(Add(3)), Box::new(Turn(5)), Box::new(Flip), Box::new(Add(7))];
    let steps = black_box(steps);
    let mut value = 1;
    for _ in 0..times {
        for step in &steps {
            value = step.step(value);
        }
    }
    value
}

/// A small function of another crate.
#[inline(never)]
fn call_far(times: u64) -> u64 {
    (0..times).fold(0, |value, number| far::mixed(value ^ number))
}

/// One byte with each call of the kernel.
#[inline(never)]
fn kernel(times: u64) -> u64 {
    let mut file = std::fs::File::open("/dev/zero").expect("no /dev/zero");
    let mut byte = [1u8; 1];
    let mut sum = 0;
    for _ in 0..times {
        sum += file.read(&mut byte).expect("cannot read") as u64;
    }
    sum
}

/// Nothing but sleep.
#[inline(never)]
fn wait(times: u64) -> u64 {
    thread::sleep(Duration::from_millis(times));
    times
}

extern "C" {
    fn qsort(base: *mut u64, count: usize, size: usize, compare: extern "C" fn(*const u64, *const u64) -> i32);
}

extern "C" fn by_value(left: *const u64, right: *const u64) -> i32 {
    unsafe { (*left > *right) as i32 - (*left < *right) as i32 }
}

/// Sorting by the C library.
#[inline(never)]
fn sort(times: u64) -> u64 {
    let mut numbers: Vec<u64> = (0..times).map(far::mixed).collect();
    unsafe { qsort(numbers.as_mut_ptr(), numbers.len(), 8, by_value) };
    numbers[0]
}

/// Threads that take turns, so that one works at a time.
#[inline(never)]
fn serial(times: u64) -> u64 {
    let mut sum = 0;
    for _ in 0..4 {
        let (sender, receiver) = mpsc::channel();
        let worker = thread::spawn(move || sender.send(compute(times)).expect("nobody listens"));
        sum += receiver.recv().expect("nobody sends");
        worker.join().expect("it panicked");
    }
    sum
}
