//! Run a Calc program: `calc-vm PROGRAM.calc`.

use std::env;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let (Some(path), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: calc-vm PROGRAM.calc");
        return ExitCode::from(2);
    };
    match run_file(Path::new(&path)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("calc-vm: {}: {message}", path.to_string_lossy());
            ExitCode::FAILURE
        }
    }
}

fn run_file(path: &Path) -> Result<(), String> {
    let source = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let mut output = BufWriter::new(io::stdout().lock());
    let outcome = calc_vm::run(&source, &mut output).map_err(|error| error.to_string());
    output.flush().map_err(|error| error.to_string())?;
    outcome
}
