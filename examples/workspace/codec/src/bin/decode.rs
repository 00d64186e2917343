//! A compact file -> lines of text: `decode INPUT [OUTPUT]`.

use std::process::ExitCode;

use codec::{container, program, text};

fn main() -> ExitCode {
    program::run("decode", |bytes| {
        let readings = container::unpack(&bytes).map_err(|error| error.to_string())?;
        Ok((text::render(&readings).into_bytes(), readings.len()))
    })
}
