//! The head of an envelope, read in place.

use std::ops::Range;

use super::cursor::{Cursor, refused};
use crate::error::{Error, Result};
use crate::limits::HEAD_FIELD_BYTES_MAX;

/// Everything of an Envelope but its body, borrowed from the frame.
///
/// Absent fields are empty or 0, as protobuf says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head<'a> {
    /// As sent: lower-case it with [`names::lower`](crate::wire::names::lower).
    pub command: &'a str,
    pub priority: i32,
    pub seq: i32,
    pub id: &'a str,
    /// Id of the message this one answers; empty for a request.
    pub rid: &'a str,
    pub jwt: &'a str,
    pub traceid: &'a str,
    pub spanid: &'a str,
    /// Where `data.value` lies in the frame, bytes; `None` if there is no `data` at all.
    pub data: Option<Range<usize>>,
    /// Where `data.type_url` lies in the frame, bytes. Ignored on input (contract 2.2), and
    /// therefore not checked to be UTF-8.
    pub type_url: Range<usize>,
}

// Keys: field number << 3 | wire type.
const COMMAND: u32 = 1 << 3 | 2;
const PRIORITY: u32 = 2 << 3;
const SEQ: u32 = 3 << 3;
const ID: u32 = 4 << 3 | 2;
const RID: u32 = 5 << 3 | 2;
const DATA: u32 = 6 << 3 | 2;
const JWT: u32 = 7 << 3 | 2;
const TRACEID: u32 = 8 << 3 | 2;
const SPANID: u32 = 9 << 3 | 2;

const ANY_TYPE_URL: u32 = 1 << 3 | 2;
const ANY_VALUE: u32 = 2 << 3 | 2;

/// Names of the fields by number.
const ENVELOPE_FIELDS: [&str; 10] = [
    "", "command", "priority", "seq", "id", "rid", "data", "jwt", "traceid", "spanid",
];
const ANY_FIELDS: [&str; 3] = ["", "data.type_url", "data.value"];

impl<'a> Head<'a> {
    /// Reads the head of one frame without allocating. Of a field given twice the last
    /// counts; unknown fields are skipped.
    ///
    /// # Errors
    /// `Protocol`, naming the field, for bytes that are not an Envelope; `TooLarge` for a
    /// field longer than [`HEAD_FIELD_BYTES_MAX`].
    pub fn scan(frame: &'a [u8]) -> Result<Head<'a>> {
        let mut head = Head::default();
        let mut cursor = Cursor::new(frame, 0, frame.len());
        while !cursor.is_done() {
            match cursor.key()? {
                COMMAND => head.command = text(frame, &mut cursor, "command")?,
                PRIORITY => head.priority = cursor.int32("priority")?,
                SEQ => head.seq = cursor.int32("seq")?,
                ID => head.id = text(frame, &mut cursor, "id")?,
                RID => head.rid = text(frame, &mut cursor, "rid")?,
                DATA => head.scan_data(frame, &mut cursor)?,
                JWT => head.jwt = text(frame, &mut cursor, "jwt")?,
                TRACEID => head.traceid = text(frame, &mut cursor, "traceid")?,
                SPANID => head.spanid = text(frame, &mut cursor, "spanid")?,
                other => skip(&mut cursor, other, &ENVELOPE_FIELDS)?,
            }
        }
        Ok(head)
    }

    /// The body: `data.value`, empty if absent (contract 2.2).
    pub fn body<'f>(&self, frame: &'f [u8]) -> &'f [u8] {
        let range = self.data.clone().unwrap_or(0..0);
        frame.get(range).unwrap_or_default()
    }

    #[inline]
    fn scan_data(&mut self, frame: &[u8], outer: &mut Cursor<'_>) -> Result<()> {
        let any = outer.span("data")?;
        let mut cursor = Cursor::new(frame, any.start, any.end);
        // A second `data` adds to the first, as protobuf merges messages.
        let mut value = self.data.take().unwrap_or(any.end..any.end);
        while !cursor.is_done() {
            match cursor.key()? {
                ANY_TYPE_URL => self.type_url = cursor.span("data.type_url")?,
                ANY_VALUE => value = cursor.span("data.value")?,
                other => skip(&mut cursor, other, &ANY_FIELDS)?,
            }
        }
        self.data = Some(value);
        Ok(())
    }
}

#[inline]
fn text<'a>(frame: &'a [u8], cursor: &mut Cursor<'_>, field: &'static str) -> Result<&'a str> {
    let span = cursor.span(field)?;
    if span.len() > HEAD_FIELD_BYTES_MAX {
        return Err(too_long(field, span.len()));
    }
    simdutf8::basic::from_utf8(&frame[span]).map_err(|_| refused(field, "is not UTF-8"))
}

/// Steps over a field that is not one of ours; refuses one of ours with another wire type.
#[cold]
fn skip(cursor: &mut Cursor<'_>, key: u32, known: &[&str]) -> Result<()> {
    match known.get((key >> 3) as usize) {
        Some(field) if !field.is_empty() => {
            let what = format!("has wire type {}, not its own", key & 7);
            Err(refused(field, &what))
        }
        _ => cursor.skip(key),
    }
}

#[cold]
fn too_long(field: &str, len: usize) -> Error {
    Error::too_large(format!(
        "Envelope.{field} is {len} bytes, the longest accepted is {HEAD_FIELD_BYTES_MAX}"
    ))
}
