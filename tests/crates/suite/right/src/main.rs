//! The program of another package, which enables a feature of what both use.

fn main() {
    println!("{}", common::describe("right", common::below()));
}
