//! The derived form of structs and enums.

use wire::{from_bytes, to_bytes, Reader, Wire, WireError};

/// A field type with commas and an arrow, which the derive has to pass over.
#[derive(Debug, Clone, PartialEq)]
struct Nothing<F, T>(std::marker::PhantomData<(F, T)>);

impl<F, T> Wire for Nothing<F, T> {
    fn write(&self, _: &mut Vec<u8>) {}

    fn read(_: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self(std::marker::PhantomData))
    }
}

#[derive(Debug, Clone, PartialEq, Wire)]
pub(crate) struct Everything {
    /// A documented field.
    pub number: u64,
    pub(crate) sign: i32,
    nothing: Nothing<fn(u8, u8) -> u8, Vec<u8>>,
    flags: Vec<Option<bool>>,
    #[allow(unused)]
    text: String,
    colour: Colour,
}

#[derive(Debug, Clone, Copy, PartialEq, Wire)]
enum Colour {
    Red,
    /// A documented variant.
    Green,
}

fn example() -> Everything {
    Everything {
        number: 300,
        sign: -3,
        nothing: Nothing(std::marker::PhantomData),
        flags: vec![None, Some(true)],
        text: "ä".into(),
        colour: Colour::Green,
    }
}

#[test]
fn fields_follow_one_another() {
    assert_eq!(to_bytes(&example()), [0xac, 2, 5, 2, 0, 1, 1, 2, 0xc3, 0xa4, 1]);
}

#[test]
fn what_was_written_is_read() {
    assert_eq!(from_bytes(&to_bytes(&example())), Ok(example()));
    assert_eq!(from_bytes(&[0]), Ok(Colour::Red));
}

#[test]
fn data_cut_anywhere_is_refused() {
    let bytes = to_bytes(&example());
    for length in 0..bytes.len() {
        assert_eq!(
            from_bytes::<Everything>(&bytes[..length]),
            Err(WireError::UnexpectedEnd)
        );
    }
}

#[test]
fn extreme_numbers_survive() {
    for number in [i64::MIN, -1, 0, 1, i64::MAX] {
        assert_eq!(from_bytes(&to_bytes(&number)), Ok(number));
    }
    assert_eq!(from_bytes(&to_bytes(&u64::MAX)), Ok(u64::MAX));
    assert_eq!(from_bytes::<u32>(&to_bytes(&u64::MAX)), Err(WireError::NumberTooLarge));
}

#[test]
fn forged_data_is_refused() {
    assert_eq!(from_bytes::<Colour>(&[2]), Err(WireError::UnknownVariant(2)));
    assert_eq!(from_bytes::<Vec<u8>>(&[0xff; 11]), Err(WireError::NumberTooLarge));
    assert_eq!(
        from_bytes::<Vec<u8>>(&[0xff, 0xff, 0xff, 0x7f]),
        Err(WireError::UnexpectedEnd)
    );
    assert_eq!(from_bytes::<u8>(&[1, 2]), Err(WireError::Trailing(1)));
}
