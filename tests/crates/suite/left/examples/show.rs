//! An example that is a program.

fn main() {
    println!("{}", common::describe("show", common::below()));
}
