//! The binary forms of the standard types.

use crate::{Reader, Wire, WireError};

/// Append a number, seven bits a byte.
fn write_varint(mut number: u64, output: &mut Vec<u8>) {
    while number >= 0x80 {
        output.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    output.push(number as u8);
}

impl Wire for u8 {
    fn write(&self, output: &mut Vec<u8>) {
        output.push(*self);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        reader.byte()
    }
}

impl Wire for bool {
    fn write(&self, output: &mut Vec<u8>) {
        output.push(u8::from(*self));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        match reader.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(WireError::NotBool(other)),
        }
    }
}

impl Wire for u64 {
    fn write(&self, output: &mut Vec<u8>) {
        write_varint(*self, output);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        reader.varint()
    }
}

impl Wire for u32 {
    fn write(&self, output: &mut Vec<u8>) {
        write_varint(u64::from(*self), output);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        reader.varint()?.try_into().map_err(|_| WireError::NumberTooLarge)
    }
}

/// Signed numbers alternate, 0, -1, 1, -2, …, so that small ones are short whatever their sign.
impl Wire for i64 {
    fn write(&self, output: &mut Vec<u8>) {
        write_varint(((self << 1) ^ (self >> 63)) as u64, output);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let number = reader.varint()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }
}

impl Wire for i32 {
    fn write(&self, output: &mut Vec<u8>) {
        i64::from(*self).write(output);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        i64::read(reader)?.try_into().map_err(|_| WireError::NumberTooLarge)
    }
}

impl Wire for String {
    fn write(&self, output: &mut Vec<u8>) {
        write_varint(self.len() as u64, output);
        output.extend_from_slice(self.as_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let length = reader.length()?;
        let text = std::str::from_utf8(reader.bytes(length)?);
        text.map(str::to_owned).map_err(|_| WireError::NotUtf8)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn write(&self, output: &mut Vec<u8>) {
        self.is_some().write(output);
        if let Some(value) = self {
            value.write(output);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        bool::read(reader)?.then(|| T::read(reader)).transpose()
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn write(&self, output: &mut Vec<u8>) {
        write_varint(self.len() as u64, output);
        for item in self {
            item.write(output);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let length = reader.length()?;
        (0..length).map(|_| T::read(reader)).collect()
    }
}
