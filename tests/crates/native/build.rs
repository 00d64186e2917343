//! Compiles C with flags derived from rustc's, as the `cc` crate does (1.2, `src/flags.rs`), which knows each flag by
//! its usual spelling only.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/mix.c");
    for name in ["CC", "CFLAGS"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let object = format!("{}/mix.o", env::var("OUT_DIR").unwrap());
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_string());
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let own = env::var("CFLAGS").unwrap_or_default();
    let status = Command::new(compiler)
        .args(["-c", "src/mix.c", "-O2", "-fPIC", "-o", &object])
        .args(flags.split('\x1f').filter_map(derive))
        .args(own.split_whitespace())
        .status();
    assert!(status.expect("cannot start the C compiler").success());
    println!("cargo::rustc-link-arg-bins={object}");
}

fn derive(flag: &str) -> Option<String> {
    let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
    Some(match name {
        "-Cprofile-generate" => format!("-fprofile-generate={value}"),
        "-Cprofile-use" => format!("-fprofile-use={value}"),
        "-Cforce-frame-pointers" => "-fno-omit-frame-pointer".to_string(),
        "-Clinker-plugin-lto" => "-flto=thin".to_string(), // whatever its value
        "-Cembed-bitcode" => "-fembed-bitcode=off".to_string(),
        _ => return None,
    })
}
