//! What both programs have in common: arguments, files and the summary.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::process::ExitCode;

use wire::crc32::checksum;

/// The bytes of a converted file and how many readings they hold, or what is wrong with it.
pub type Converted = Result<(Vec<u8>, usize), String>;

/// Convert the file of the first argument; write the result where a second one says so.
///
/// The summary on standard output holds the result's checksum: two programs that print the same wrote the same.
pub fn run(name: &str, convert: fn(Vec<u8>) -> Converted) -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let (input, output) = match &arguments[..] {
        [input] => (input, None),
        [input, output] => (input, Some(output)),
        _ => {
            eprintln!("usage: {name} INPUT [OUTPUT]");
            return ExitCode::from(2);
        }
    };
    match convert_file(input, output, convert) {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{name}: {message}");
            ExitCode::FAILURE
        }
    }
}

fn convert_file(
    input: &OsString,
    output: Option<&OsString>,
    convert: fn(Vec<u8>) -> Converted,
) -> Result<String, String> {
    let shown = input.to_string_lossy();
    let bytes = fs::read(input).map_err(|error| format!("{shown}: {error}"))?;
    let size = bytes.len();
    let (converted, readings) = convert(bytes).map_err(|message| format!("{shown}: {message}"))?;
    if let Some(path) = output {
        fs::write(path, &converted).map_err(|error| format!("{}: {error}", path.to_string_lossy()))?;
    }
    Ok(format!(
        "{readings} readings, {size} -> {} bytes, checksum {:08x}",
        converted.len(),
        checksum(&converted)
    ))
}
