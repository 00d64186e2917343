//! A procedural macro: it runs inside the compiler, and must never be instrumented.

use proc_macro::TokenStream;

/// Makes a function `answer`.
#[proc_macro]
pub fn make_answer(_input: TokenStream) -> TokenStream {
    "pub fn answer() -> u64 { 27 }".parse().unwrap()
}
