//! Lines of text -> a compact file: `encode INPUT [OUTPUT]`.

use std::process::ExitCode;

use codec::{container, program, text};

fn main() -> ExitCode {
    program::run("encode", |bytes| {
        let lines = String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
        let readings = text::parse(&lines).map_err(|error| error.to_string())?;
        Ok((container::pack(&readings), readings.len()))
    })
}
