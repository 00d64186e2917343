//! Where reading stands.

use crate::WireError;

/// Bytes and a position in them.
#[derive(Debug, Clone)]
pub struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    /// Start at the first byte.
    #[must_use]
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Take one byte.
    ///
    /// # Errors
    ///
    /// None is left.
    pub fn byte(&mut self) -> Result<u8, WireError> {
        let (&first, rest) = self.rest.split_first().ok_or(WireError::UnexpectedEnd)?;
        self.rest = rest;
        Ok(first)
    }

    /// Take that many bytes.
    ///
    /// # Errors
    ///
    /// Fewer are left.
    pub fn bytes(&mut self, count: usize) -> Result<&'b [u8], WireError> {
        if count > self.rest.len() {
            return Err(WireError::UnexpectedEnd);
        }
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(taken)
    }

    /// Take a number: seven bits a byte, the lowest ones first; the last byte is below 128.
    ///
    /// # Errors
    ///
    /// It does not end, or does not fit into 64 bits.
    pub fn varint(&mut self) -> Result<u64, WireError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(WireError::NumberTooLarge);
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(WireError::NumberTooLarge)
    }

    /// Take the length of what follows, of which every item takes at least one byte.
    ///
    /// # Errors
    ///
    /// It is more than what is left, so that no forged length makes us reserve memory.
    pub fn length(&mut self) -> Result<usize, WireError> {
        let length = usize::try_from(self.varint()?).map_err(|_| WireError::NumberTooLarge)?;
        if length > self.remaining() {
            return Err(WireError::UnexpectedEnd);
        }
        Ok(length)
    }
}
