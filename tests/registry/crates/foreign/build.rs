//! Compiles C and C++ as most crates do that have some, and makes the bindings to them.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=native");
    cc::Build::new().file("native/mix.c").compile("mix");

    let built = cmake::Config::new("native").build_target("turn").build();
    println!("cargo::rustc-link-search=native={}", built.join("build").display());
    println!("cargo::rustc-link-lib=static=turn");

    let bindings = bindgen::builder().header("native/foreign.h").generate().expect("bindgen");
    let path = PathBuf::from(std::env::var("OUT_DIR").unwrap()).join("bindings.rs");
    bindings.write_to_file(path).unwrap();
}
