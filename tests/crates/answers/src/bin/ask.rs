//! Asks the server so many times: `ask PORT COUNT`. Prints the last answer.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let port: u16 = arguments[1].parse().expect("usage: ask PORT COUNT");
    let count: u64 = arguments[2].parse().expect("usage: ask PORT COUNT");
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("nobody answers");
    stream.set_nodelay(true).expect("a socket");
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut writer = stream;
    let mut line = String::new();
    for number in 0..count {
        line.clear();
        let question = format!("{}\n", 100 + number % 100);
        writer.write_all(question.as_bytes()).expect("cannot ask");
        reader.read_line(&mut line).expect("no answer");
    }
    print!("{line}");
}
