//! A bounds-checked walk over protobuf bytes.

use std::ops::Range;

use super::fault::{Fault, Field, Kind};
use crate::limits::{GROUP_NESTING_MAX, HEAD_FIELD_BYTES_MAX};

/// Protobuf wire types: the low three bits of a key.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;
const GROUP_START: u32 = 3;
const GROUP_END: u32 = 4;
const FIXED32: u32 = 5;

type Result<T> = std::result::Result<T, Fault>;

/// A position in protobuf bytes. `field` says what is being read, for refusals.
///
/// Rare paths work on a copy, so that the compiler keeps the cursor itself in registers.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    /// Where `rest` ends in the frame.
    end: usize,
}

impl<'a> Cursor<'a> {
    /// Walks a whole frame.
    #[inline]
    pub(super) fn new(frame: &'a [u8]) -> Self {
        let end = frame.len();
        Self { rest: frame, end }
    }

    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes of the frame before this position.
    #[inline]
    pub(super) fn position(&self) -> usize {
        self.end - self.rest.len()
    }

    /// A field number and wire type, still packed.
    #[inline]
    pub(super) fn key(&mut self) -> Result<u32> {
        let key = self.varint(Field::Key)?;
        u32::try_from(key).map_err(|_| Fault(Field::Key, Kind::KeyTooLarge))
    }

    #[inline]
    pub(super) fn varint(&mut self, field: Field) -> Result<u64> {
        match *self.rest {
            [byte, ref rest @ ..] if byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            [low, high, ref rest @ ..] if high < 0x80 => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => {
                let (value, len) = long_varint(self.rest, field)?;
                self.rest = &self.rest[len..];
                Ok(value)
            }
        }
    }

    /// As protobuf says, an int32 travels sign-extended to 64 bits and the rest is dropped.
    #[inline]
    pub(super) fn int32(&mut self, field: Field) -> Result<i32> {
        Ok(self.varint(field)? as i32)
    }

    /// A length-delimited value, and steps behind it.
    #[inline]
    pub(super) fn bytes(&mut self, field: Field) -> Result<&'a [u8]> {
        let len = self.varint(field)?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        match self.rest.split_at_checked(len) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => Err(Fault(field, Kind::Truncated)),
        }
    }

    /// Where a length-delimited value lies in the frame, and steps behind it.
    #[inline]
    pub(super) fn span(&mut self, field: Field) -> Result<Range<usize>> {
        let len = self.bytes(field)?.len();
        let end = self.position();
        Ok(end - len..end)
    }

    /// A message inside this one, and steps behind it.
    #[inline]
    pub(super) fn message(&mut self, field: Field) -> Result<Cursor<'a>> {
        let rest = self.bytes(field)?;
        let end = self.position();
        Ok(Cursor { rest, end })
    }

    /// A text of at most [`HEAD_FIELD_BYTES_MAX`] bytes.
    #[inline]
    pub(super) fn text(&mut self, field: Field) -> Result<&'a str> {
        let bytes = self.bytes(field)?;
        if bytes.len() > HEAD_FIELD_BYTES_MAX {
            return Err(Fault(field, Kind::TooLong));
        }
        simdutf8::basic::from_utf8(bytes).map_err(|_| Fault(field, Kind::NotUtf8))
    }

    /// Steps over the value of an unknown field.
    #[inline]
    pub(super) fn skip(&mut self, key: u32) -> Result<()> {
        *self = self.clone().behind(key)?;
        Ok(())
    }

    #[cold]
    fn behind(mut self, key: u32) -> Result<Self> {
        let mut open = [0u32; GROUP_NESTING_MAX];
        let mut depth = 0;
        let mut key = key;
        loop {
            let number = key >> 3;
            if number == 0 {
                return Err(Fault(Field::Key, Kind::NumberZero));
            }
            match key & 7 {
                VARINT => {
                    self.varint(Field::Unknown)?;
                }
                FIXED64 => self.step(8)?,
                BYTES => {
                    self.bytes(Field::Unknown)?;
                }
                FIXED32 => self.step(4)?,
                GROUP_START => {
                    let Some(slot) = open.get_mut(depth) else {
                        return Err(Fault(Field::Unknown, Kind::TooDeep));
                    };
                    *slot = number;
                    depth += 1;
                }
                GROUP_END if depth > 0 && open[depth - 1] == number => depth -= 1,
                GROUP_END => {
                    return Err(Fault(Field::Unknown, Kind::GroupNotBegun));
                }
                _ => return Err(Fault(Field::Unknown, Kind::NoSuchWireType)),
            }
            if depth == 0 {
                return Ok(self);
            }
            if self.is_done() {
                return Err(Fault(Field::Unknown, Kind::Truncated));
            }
            key = self.key()?;
        }
    }

    fn step(&mut self, count: usize) -> Result<()> {
        match self.rest.get(count..) {
            Some(rest) => self.rest = rest,
            None => return Err(Fault(Field::Unknown, Kind::Truncated)),
        }
        Ok(())
    }
}

/// The value and the bytes it takes.
#[inline(never)]
fn long_varint(bytes: &[u8], field: Field) -> Result<(u64, usize)> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        // The tenth byte holds the 64th bit and nothing else.
        if index == 9 && *byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok((value, index + 1));
        }
    }
    match bytes.len() < 10 {
        true => Err(Fault(field, Kind::Truncated)),
        false => Err(Fault(field, Kind::VarintTooLong)),
    }
}
