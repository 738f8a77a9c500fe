//! A bounds-checked walk over protobuf bytes.

use crate::error::{Error, Result};
use crate::limits::GROUP_NESTING_MAX;

/// Protobuf wire types: the low three bits of a key.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;
const GROUP_START: u32 = 3;
const GROUP_END: u32 = 4;
const FIXED32: u32 = 5;

/// A position in protobuf bytes. `field` names what is being read, for refusals.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    /// Walks `bytes[at..end]`; `end` must not lie behind the bytes.
    pub(super) fn new(bytes: &'a [u8], at: usize, end: usize) -> Self {
        let end = end.min(bytes.len());
        Self { bytes, at, end }
    }

    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.at >= self.end
    }

    /// A field number and wire type, still packed.
    #[inline]
    pub(super) fn key(&mut self) -> Result<u32> {
        let key = self.varint("key of a field")?;
        u32::try_from(key).map_err(|_| refused("key of a field", "is larger than 32 bits"))
    }

    #[inline]
    pub(super) fn varint(&mut self, field: &'static str) -> Result<u64> {
        if self.at < self.end {
            let byte = self.bytes[self.at];
            if byte < 0x80 {
                self.at += 1;
                return Ok(u64::from(byte));
            }
        }
        self.long_varint(field)
    }

    #[inline(never)]
    fn long_varint(&mut self, field: &'static str) -> Result<u64> {
        let mut value = 0u64;
        for (index, byte) in self.bytes[self.at..self.end].iter().enumerate().take(10) {
            // The tenth byte holds the 64th bit and nothing else.
            if index == 9 && *byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.at += index + 1;
                return Ok(value);
            }
        }
        if self.end - self.at < 10 {
            return Err(truncated(field));
        }
        Err(refused(field, "has a varint of more than 64 bits"))
    }

    /// As protobuf says, an int32 travels sign-extended to 64 bits and the rest is dropped.
    #[inline]
    pub(super) fn int32(&mut self, field: &'static str) -> Result<i32> {
        Ok(self.varint(field)? as i32)
    }

    /// The bounds of a length-delimited value, and steps behind it.
    #[inline]
    pub(super) fn span(&mut self, field: &'static str) -> Result<std::ops::Range<usize>> {
        let len = self.varint(field)?;
        if len > (self.end - self.at) as u64 {
            return Err(truncated(field));
        }
        let start = self.at;
        self.at += len as usize;
        Ok(start..self.at)
    }

    /// Steps over the value of an unknown field.
    #[cold]
    pub(super) fn skip(&mut self, key: u32) -> Result<()> {
        let mut open = [0u32; GROUP_NESTING_MAX];
        let mut depth = 0;
        let mut key = key;
        loop {
            let number = key >> 3;
            if number == 0 {
                return Err(refused("key of a field", "has field number 0"));
            }
            match key & 7 {
                VARINT => {
                    self.varint(UNKNOWN)?;
                }
                FIXED64 => self.step(8)?,
                BYTES => {
                    self.span(UNKNOWN)?;
                }
                FIXED32 => self.step(4)?,
                GROUP_START => {
                    let Some(slot) = open.get_mut(depth) else {
                        return Err(refused(UNKNOWN, "has groups nested too deep"));
                    };
                    *slot = number;
                    depth += 1;
                }
                GROUP_END if depth > 0 && open[depth - 1] == number => depth -= 1,
                GROUP_END => {
                    return Err(refused(UNKNOWN, "ends a group that was not begun"));
                }
                _ => return Err(refused(UNKNOWN, "has a wire type that does not exist")),
            }
            if depth == 0 {
                return Ok(());
            }
            if self.is_done() {
                return Err(truncated(UNKNOWN));
            }
            key = self.key()?;
        }
    }

    fn step(&mut self, count: usize) -> Result<()> {
        if count > self.end - self.at {
            return Err(truncated(UNKNOWN));
        }
        self.at += count;
        Ok(())
    }
}

const UNKNOWN: &str = "an unknown field";

#[cold]
fn truncated(field: &'static str) -> Error {
    refused(field, "reaches beyond the end of the message")
}

/// A refusal that names the field and ends the connection.
#[cold]
pub(super) fn refused(field: &str, what: &str) -> Error {
    Error::protocol(format!(
        "this is not an Envelope: {field} {what}; send protobuf messages of openiap.Envelope"
    ))
}
