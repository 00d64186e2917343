//! Count words: `wordfreq [--top N] [--min-length N] [FILE…]`.

use std::env;
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::process::ExitCode;

use wordfreq::counter::Counter;
use wordfreq::options::{Options, Request, USAGE};

fn main() -> ExitCode {
    match Options::parse(env::args().skip(1)) {
        Ok(Request::Help) => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Ok(Request::Count(options)) => match run(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => {
                eprintln!("wordfreq: {message}");
                ExitCode::FAILURE
            }
        },
        Err(message) => {
            eprint!("wordfreq: {message}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let mut counter = Counter::new(options.min_length);
    for file in &options.files {
        counter.add_text(&read(file).map_err(|error| format!("{file}: {error}"))?);
    }
    report(&counter, options.top).map_err(|error| format!("cannot write: {error}"))
}

/// Read a whole text; `-` is standard input. Bytes that are not UTF-8 separate words.
fn read(file: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    if file == "-" {
        io::stdin().lock().read_to_end(&mut bytes)?;
    } else {
        bytes = fs::read(file)?;
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn report(counter: &Counter, top: usize) -> io::Result<()> {
    let mut output = BufWriter::new(io::stdout().lock());
    for (word, count) in counter.most_frequent(top) {
        writeln!(output, "{count:>9}  {word}")?;
    }
    writeln!(
        output,
        "{:>9}  words, {} different",
        counter.total(),
        counter.different()
    )?;
    output.flush()
}
