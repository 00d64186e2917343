//! Runs the program as users do; fails on purpose where it is told to.

use std::process::Command;

#[test]
fn evaluates_its_arguments() {
    let output = Command::new(env!("CARGO_BIN_EXE_abacus")).arg("* 6 7").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "42\n");
}

#[test]
fn runs_where_its_package_lies() {
    assert_eq!(std::env::current_dir().unwrap(), std::path::Path::new(env!("CARGO_MANIFEST_DIR")));
    assert_eq!(std::env::var("CARGO_PKG_NAME").unwrap(), "abacus");
}

#[test]
fn fails_where_it_is_told_to() {
    assert!(std::env::var("ABACUS_FAILS").is_err(), "told to fail");
}
