//! One of the two programs of its package.

fn main() {
    println!("{}", common::describe("left", common::below()));
}
