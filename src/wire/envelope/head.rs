//! The head of an envelope, read in place.

use std::ops::Range;

use super::cursor::Cursor;
use super::fault::{Fault, Field, Kind};
use crate::error;

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

impl<'a> Head<'a> {
    /// Reads the head of one frame without allocating. Of a field given twice the last
    /// counts; unknown fields are skipped.
    ///
    /// # Errors
    /// `Protocol`, naming the field, for bytes that are not an Envelope; `TooLarge` for a
    /// field longer than [`HEAD_FIELD_BYTES_MAX`](crate::limits::HEAD_FIELD_BYTES_MAX).
    pub fn scan(frame: &'a [u8]) -> error::Result<Head<'a>> {
        Ok(Self::scan_fields(frame)?)
    }

    #[inline(always)]
    fn scan_fields(frame: &'a [u8]) -> Result<Head<'a>, Fault> {
        let mut head = Head::default();
        let mut cursor = Cursor::new(frame);
        while !cursor.is_done() {
            match cursor.key()? {
                COMMAND => head.command = cursor.text(Field::Command)?,
                PRIORITY => head.priority = cursor.int32(Field::Priority)?,
                SEQ => head.seq = cursor.int32(Field::Seq)?,
                ID => head.id = cursor.text(Field::Id)?,
                RID => head.rid = cursor.text(Field::Rid)?,
                DATA => head.scan_data(&mut cursor)?,
                JWT => head.jwt = cursor.text(Field::Jwt)?,
                TRACEID => head.traceid = cursor.text(Field::Traceid)?,
                SPANID => head.spanid = cursor.text(Field::Spanid)?,
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
    fn scan_data(&mut self, outer: &mut Cursor<'_>) -> Result<(), Fault> {
        let mut cursor = outer.message(Field::Data)?;
        let end = outer.position();
        // A second `data` adds to the first, as protobuf merges messages.
        let mut value = self.data.take().unwrap_or(end..end);
        while !cursor.is_done() {
            match cursor.key()? {
                ANY_TYPE_URL => self.type_url = cursor.span(Field::TypeUrl)?,
                ANY_VALUE => value = cursor.span(Field::Value)?,
                other => skip(&mut cursor, other, &ANY_FIELDS)?,
            }
        }
        self.data = Some(value);
        Ok(())
    }
}

/// Fields by number, from 1.
const ENVELOPE_FIELDS: [Field; 9] = [
    Field::Command,
    Field::Priority,
    Field::Seq,
    Field::Id,
    Field::Rid,
    Field::Data,
    Field::Jwt,
    Field::Traceid,
    Field::Spanid,
];
const ANY_FIELDS: [Field; 2] = [Field::TypeUrl, Field::Value];

/// Steps over a field that is not one of ours; refuses one of ours with another wire type.
#[inline]
fn skip(cursor: &mut Cursor<'_>, key: u32, known: &[Field]) -> Result<(), Fault> {
    let index = (key >> 3).wrapping_sub(1);
    match known.get(index as usize) {
        Some(field) => Err(Fault(*field, Kind::OtherWireType)),
        None => cursor.skip(key),
    }
}
