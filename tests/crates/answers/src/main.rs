//! A server that answers each line with its Collatz length. `answers PORT [--silent|--deaf|--crash-at N]`
//!
//! It has no signal handler: SIGTERM ends it in the middle of `accept`, and it never returns from `main`.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

fn length(mut number: u64) -> u64 {
    let mut steps = 0;
    while number > 1 {
        number = if number % 2 == 0 { number / 2 } else { 3 * number + 1 };
        steps += 1;
    }
    steps
}

fn answer(stream: TcpStream, crash_at: u64) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    for line in BufReader::new(stream).lines() {
        let number: u64 = line?.trim().parse().unwrap_or(0);
        if number == crash_at {
            std::process::abort();
        }
        let total: u64 = (1..number).map(length).sum();
        writer.write_all(format!("{number}: {total}\n").as_bytes())?;
    }
    Ok(())
}

extern "C" fn ignore(_number: i32) {}

extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |name: &str| arguments.iter().any(|word| word == name);
    if has("--deaf") {
        unsafe { signal(15, ignore) };
    }
    let crash_at = arguments
        .iter()
        .position(|word| word == "--crash-at")
        .map_or(u64::MAX, |at| arguments[at + 1].parse().unwrap());
    let port: u16 = arguments[1].parse().expect("usage: answers PORT");
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("cannot bind");
    if !has("--silent") {
        println!("listening on {port}");
    }
    for stream in listener.incoming() {
        if let Err(error) = stream.and_then(|stream| answer(stream, crash_at)) {
            eprintln!("{error}");
        }
    }
}
