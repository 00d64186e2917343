//! A tool of many commands, each of which registers itself at the start.

use std::fs;
use std::process::ExitCode;

mod commands;

/// What registers commands.
type Register = fn(&mut Vec<Command>);

/// One command: a checksum with constants of its own.
struct Command {
    name: &'static str,
    run: fn(&[u8]) -> u64,
}

fn main() -> ExitCode {
    let mut known = Vec::new();
    for register in std::hint::black_box(commands::ALL) {
        register(&mut known);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, path] = arguments.as_slice() else {
        println!("{} commands: many-commands NAME FILE, or all FILE", known.len());
        return ExitCode::SUCCESS;
    };
    let data = match fs::read(path) {
        Ok(data) => data,
        Err(error) => {
            eprintln!("cannot read {path}: {error}");
            return ExitCode::FAILURE;
        }
    };
    for command in known.iter().filter(|each| name == "all" || name == each.name) {
        println!("{:016x} {}", (command.run)(&data), command.name);
    }
    ExitCode::SUCCESS
}
