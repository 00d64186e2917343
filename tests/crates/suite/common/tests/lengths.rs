//! What programs ask the library for.

#[test]
fn it_says_who_and_how_many() {
    assert!(common::describe("test", 1000).starts_with("test: 59431"));
}
