//! Raw BSON to JSON text, as clients of the contract read it (3.4).
//!
//! Walks the bytes itself: each name and string is looked at once, while it is copied, and all
//! of the text is checked for UTF-8 together at the end.

use bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf};

use super::scalar::{write_buffer, write_date, write_double, write_integer, write_object_id};
use super::text::{name_end, push_text, write_name, write_text};
use crate::document::raw::{
    EMPTY_BYTES, TAG_ARRAY, TAG_BOOLEAN, TAG_DATE, TAG_DOCUMENT, TAG_DOUBLE, TAG_INT32, TAG_INT64,
    TAG_NULL, TAG_REGEX, TAG_STRING,
};
use crate::error::{Code, Error, Result};
use crate::limits;

const TAG_BINARY: u8 = 0x05;
const TAG_UNDEFINED: u8 = 0x06;
const TAG_OBJECT_ID: u8 = 0x07;
const TAG_DB_POINTER: u8 = 0x0c;
const TAG_CODE: u8 = 0x0d;
const TAG_SYMBOL: u8 = 0x0e;
const TAG_CODE_WITH_SCOPE: u8 = 0x0f;
const TAG_TIMESTAMP: u8 = 0x11;
const TAG_DECIMAL: u8 = 0x13;
const TAG_MAX_KEY: u8 = 0x7f;
const TAG_MIN_KEY: u8 = 0xff;
/// Binary whose bytes start with their length once more.
const SUBTYPE_BINARY_OLD: u8 = 0x02;

/// Appends the document as a JSON object.
///
/// Errors: `Corrupt` when the bytes are not valid BSON or are nested beyond twice `limits::NESTING_MAX`;
/// `out` then holds a part of it.
pub fn write_document(document: &RawDocument, out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    let bytes = document.as_bytes();
    out.reserve(text_bytes_expected(bytes.len()));
    Walker { bytes, at: 0, out }.document(bytes.len(), 1, true)?;
    check_text(&out[start..])
}

/// Appends the documents as a JSON array. Errors: as [`write_document`].
pub fn write_documents(documents: &[RawDocumentBuf], out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    let bytes = documents.iter().map(|one| one.as_bytes().len()).sum();
    out.reserve(text_bytes_expected(bytes));
    out.push(b'[');
    for (index, document) in documents.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let bytes = document.as_bytes();
        Walker { bytes, at: 0, out }.document(bytes.len(), 1, true)?;
    }
    out.push(b']');
    check_text(&out[start..])
}

/// Appends any value as JSON. Errors: as [`write_document`].
pub fn write_value(value: RawBsonRef<'_>, out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    let mut one = RawDocumentBuf::new();
    one.append(bson::raw::cstr!(""), value);
    let bytes = one.as_bytes();
    // Behind the length: the tag, then the end of the empty name.
    let (tag, at, end) = (bytes[4], 6, bytes.len() - 1);
    Walker { bytes, at, out }.value(tag, end, 1)?;
    check_text(&out[start..])
}

/// Room that the text of most documents fits in: dates and ids grow, what frames a value shrinks.
fn text_bytes_expected(bson_bytes: usize) -> usize {
    bson_bytes + bson_bytes / 2 + 64
}

fn check_text(text: &[u8]) -> Result<()> {
    match simdutf8::basic::from_utf8(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(corrupt("a text is not UTF-8").because(error)),
    }
}

fn corrupt(reason: &'static str) -> Error {
    Error::client(Code::Corrupt, "A document is not valid BSON").because(reason)
}

/// A place in the bytes of a document. It is always within them: whatever moves it has read up to
/// there, and nothing is indexed that was not compared with the end before.
struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
    out: &'a mut Vec<u8>,
}

impl Walker<'_> {
    /// Writes the document or array that starts here and ends at or before `limit`.
    fn document(&mut self, limit: usize, depth: usize, is_named: bool) -> Result<()> {
        // Foreign data may be a little deeper than what we accept; only the stack must be safe.
        if depth > 2 * limits::NESTING_MAX {
            return Err(Error::client(
                Code::Corrupt,
                "A document is nested too deeply to be shown",
            ));
        }
        let last = self.document_last(limit)?;
        self.out.push(if is_named { b'{' } else { b'[' });
        let mut is_first = true;
        while self.at < last {
            let tag = self.bytes[self.at];
            if !std::mem::replace(&mut is_first, false) {
                self.out.push(b',');
            }
            let value_at = if is_named {
                write_name(self.bytes, self.at + 1, self.out)
            } else {
                name_end(self.bytes, self.at + 1).map(|end| end + 1)
            };
            self.at = value_at.ok_or_else(|| corrupt("a name does not end"))?;
            self.value(tag, last, depth + 1)?;
        }
        if self.at != last {
            return Err(corrupt("a value reaches beyond its document"));
        }
        self.at += 1;
        self.out.push(if is_named { b'}' } else { b']' });
        Ok(())
    }

    /// Passes the length of the document that starts here; answers where the NUL is that ends it.
    fn document_last(&mut self, limit: usize) -> Result<usize> {
        let start = self.at;
        let length = self.length()?;
        let last = (start + length).saturating_sub(1);
        if length < EMPTY_BYTES || last >= limit || self.bytes.get(last) != Some(&0) {
            return Err(corrupt("the length of a document is wrong"));
        }
        Ok(last)
    }

    /// Writes the value that starts here. It may reach beyond `limit`, though not beyond the bytes:
    /// the document around it sees that.
    fn value(&mut self, tag: u8, limit: usize, depth: usize) -> Result<()> {
        match tag {
            TAG_STRING | TAG_SYMBOL | TAG_CODE => {
                let (start, end) = self.string()?;
                write_text(self.bytes, start, end, self.out);
            }
            TAG_INT32 => write_integer(i32::from_le_bytes(self.take()?).into(), self.out),
            TAG_INT64 => write_integer(i64::from_le_bytes(self.take()?), self.out),
            TAG_DOUBLE => write_double(f64::from_le_bytes(self.take()?), self.out),
            TAG_BOOLEAN => match self.take()? {
                [0] => self.out.extend_from_slice(b"false"),
                [1] => self.out.extend_from_slice(b"true"),
                _ => return Err(corrupt("a boolean is neither true nor false")),
            },
            TAG_DOCUMENT => return self.document(limit, depth, true),
            TAG_ARRAY => return self.document(limit, depth, false),
            TAG_DATE => write_date(i64::from_le_bytes(self.take()?), self.out),
            TAG_OBJECT_ID => write_object_id(self.take()?, self.out),
            TAG_NULL | TAG_UNDEFINED => self.out.extend_from_slice(b"null"),
            TAG_BINARY => self.binary()?,
            TAG_REGEX => self.regex()?,
            _ => return self.rare(tag),
        }
        Ok(())
    }

    /// Values that only foreign documents hold.
    fn rare(&mut self, tag: u8) -> Result<()> {
        match tag {
            TAG_DECIMAL => {
                let text = bson::Decimal128::from_bytes(self.take()?).to_string();
                write_text(text.as_bytes(), 0, text.len(), self.out);
            }
            // The driver of the reference prints a timestamp as the 64-bit number it is, in text.
            TAG_TIMESTAMP => {
                let text = u64::from_le_bytes(self.take()?).to_string();
                write_text(text.as_bytes(), 0, text.len(), self.out);
            }
            TAG_CODE_WITH_SCOPE => {
                let start = self.at;
                let length = self.length()?;
                let (text_start, text_end) = self.string()?;
                self.at = self.document_last(self.bytes.len())? + 1;
                if self.at - start != length {
                    return Err(corrupt("the length of a script is wrong"));
                }
                write_text(self.bytes, text_start, text_end, self.out);
            }
            TAG_DB_POINTER => {
                self.string()?;
                let _: [u8; 12] = self.take()?;
                self.out.extend_from_slice(b"null");
            }
            TAG_MIN_KEY => self.out.extend_from_slice(br#"{"$minKey":1}"#),
            TAG_MAX_KEY => self.out.extend_from_slice(br#"{"$maxKey":1}"#),
            _ => return Err(corrupt("a type is unknown")),
        }
        Ok(())
    }

    fn binary(&mut self) -> Result<()> {
        let length = self.length()?;
        let [subtype] = self.take()?;
        let mut start = self.at;
        let end = start + length;
        if subtype == SUBTYPE_BINARY_OLD {
            let inner = self.length()?;
            start = self.at;
            if start + inner != end {
                return Err(corrupt("the length of a binary is wrong"));
            }
        }
        let bytes = self.bytes.get(start..end);
        write_buffer(bytes.ok_or_else(cut_off)?, self.out);
        self.at = end;
        Ok(())
    }

    fn regex(&mut self) -> Result<()> {
        let pattern_end = name_end(self.bytes, self.at).ok_or_else(cut_off)?;
        let options_end = name_end(self.bytes, pattern_end + 1).ok_or_else(cut_off)?;
        self.out.extend_from_slice(b"\"/");
        push_text(self.bytes, self.at, pattern_end, self.out);
        self.out.push(b'/');
        push_text(self.bytes, pattern_end + 1, options_end, self.out);
        self.out.push(b'"');
        self.at = options_end + 1;
        Ok(())
    }

    /// Passes a string; answers where its text starts and ends.
    fn string(&mut self) -> Result<(usize, usize)> {
        let length = self.length()?;
        let start = self.at;
        // The length counts the NUL at the end.
        let end = (start + length).saturating_sub(1);
        if length == 0 || self.bytes.get(end) != Some(&0) {
            return Err(corrupt("the length of a string is wrong"));
        }
        self.at = end + 1;
        Ok((start, end))
    }

    /// Takes a length, bytes; at most 2^31, so that adding it to a place cannot overflow.
    #[inline]
    fn length(&mut self) -> Result<usize> {
        let length = i32::from_le_bytes(self.take()?);
        usize::try_from(length).map_err(|_| corrupt("a length is negative"))
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let rest = self.bytes.get(self.at..);
        let value = *rest.and_then(<[u8]>::first_chunk).ok_or_else(cut_off)?;
        self.at += N;
        Ok(value)
    }
}

fn cut_off() -> Error {
    corrupt("a value is cut off")
}
