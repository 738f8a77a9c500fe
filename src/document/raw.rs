//! Building and reading raw BSON documents without a tree.

use std::borrow::Cow;

use bson::raw::{RawArray, RawBson, RawBsonRef, RawDocument, RawDocumentBuf, RawElement, RawIter};

use crate::error::{Code, Error, Result};
use crate::limits;

/// Bytes of an empty document: its length and its end.
pub const EMPTY_BYTES: usize = 5;

pub(super) const TAG_DOUBLE: u8 = 0x01;
pub(super) const TAG_STRING: u8 = 0x02;
pub(super) const TAG_DOCUMENT: u8 = 0x03;
pub(super) const TAG_ARRAY: u8 = 0x04;
pub(super) const TAG_BOOLEAN: u8 = 0x08;
pub(super) const TAG_DATE: u8 = 0x09;
pub(super) const TAG_NULL: u8 = 0x0a;
pub(super) const TAG_REGEX: u8 = 0x0b;
pub(super) const TAG_INT32: u8 = 0x10;
pub(super) const TAG_INT64: u8 = 0x12;

/// One element of a document: its name, its value, and its bytes for copying.
pub(super) struct Field<'a> {
    pub name: &'a str,
    pub element: RawElement<'a>,
    /// Tag, name and value.
    pub bytes: &'a [u8],
}

impl Field<'_> {
    /// The bytes of the value alone.
    pub fn value_bytes(&self) -> &[u8] {
        &self.bytes[1 + self.name.len() + 1..]
    }
}

/// The elements of a document with their bytes; ends early where the document is damaged.
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    offset: usize,
    elements: RawIter<'a>,
}

pub(super) fn fields(document: &RawDocument) -> Fields<'_> {
    Fields {
        bytes: document.as_bytes(),
        offset: 4,
        elements: document.iter_elements(),
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let element = self.elements.next()?.ok()?;
        let name = element.key().as_str();
        let length = 1 + name.len() + 1 + element.size();
        let bytes = self.bytes.get(self.offset..self.offset + length)?;
        self.offset += length;
        Some(Field {
            name,
            element,
            bytes,
        })
    }
}

/// An array read as the document it is stored as: names are the indexes.
pub(super) fn as_document(array: &RawArray) -> &RawDocument {
    // The bytes of a RawArray were checked when it was read; an empty array is the honest answer otherwise.
    RawDocument::from_bytes(array.as_bytes()).unwrap_or(empty())
}

/// The document without fields.
pub fn empty() -> &'static RawDocument {
    const EMPTY: &[u8] = &[5, 0, 0, 0, 0];
    RawDocument::from_bytes(EMPTY).expect("five bytes of an empty document")
}

/// Starts a document in `out`; [`close`] ends it.
pub(super) fn open(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    start
}

/// Ends the document that [`open`] started at `start`.
pub(super) fn close(out: &mut Vec<u8>, start: usize) {
    out.push(0);
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Tag and name of an element; the caller appends the value. `name` holds no NUL.
pub(super) fn push_name(out: &mut Vec<u8>, tag: u8, name: &str) {
    out.push(tag);
    out.extend_from_slice(name.as_bytes());
    out.push(0);
}

/// Tag and name of an array element.
pub(super) fn push_index(out: &mut Vec<u8>, tag: u8, index: usize) {
    out.push(tag);
    push_decimal(out, index as u64);
    out.push(0);
}

/// `value` in decimal digits.
pub(super) fn push_decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The value bytes of a string.
pub(super) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u32 + 1).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

/// Bytes that one of our own writers closed correctly, as a document.
pub(super) fn finish(bytes: Vec<u8>) -> Result<RawDocumentBuf> {
    RawDocumentBuf::from_bytes(bytes)
        .map_err(|error| Error::internal("A document was written wrongly").because(error))
}

/// A copy of a document with top-level fields replaced, removed or added.
///
/// Names are taken literally: no dotted paths. Order is kept; added fields come last, in the order of
/// the calls. Of several calls for one name the last counts.
pub fn edit(document: &RawDocument) -> Edit<'_> {
    Edit {
        document,
        changes: Vec::new(),
    }
}

/// See [`edit`].
pub struct Edit<'a> {
    document: &'a RawDocument,
    changes: Vec<(Cow<'a, str>, Option<RawBson>)>,
}

impl<'a> Edit<'a> {
    /// Replaces the field where it stands, or adds it at the end.
    pub fn set(self, name: impl Into<Cow<'a, str>>, value: impl Into<RawBson>) -> Self {
        self.change(name.into(), Some(value.into()))
    }

    pub fn remove(self, name: impl Into<Cow<'a, str>>) -> Self {
        self.change(name.into(), None)
    }

    fn change(mut self, name: Cow<'a, str>, value: Option<RawBson>) -> Self {
        match self.changes.iter_mut().find(|(known, _)| *known == name) {
            Some(change) => change.1 = value,
            None => self.changes.push((name, value)),
        }
        self
    }

    /// Errors: `Invalid` for a name with a NUL character; `TooLarge` above `limits::DOCUMENT_BYTES_MAX`.
    pub fn finish(self) -> Result<RawDocumentBuf> {
        let mut out = Vec::with_capacity(self.document.as_bytes().len() + 64);
        let mut done = vec![false; self.changes.len()];
        let start = open(&mut out);
        for field in fields(self.document) {
            match self.changes.iter().position(|(name, _)| name == field.name) {
                None => out.extend_from_slice(field.bytes),
                Some(index) => {
                    if !std::mem::replace(&mut done[index], true)
                        && let Some(value) = &self.changes[index].1
                    {
                        push_element(&mut out, field.name, value.as_raw_bson_ref())?;
                    }
                }
            }
        }
        for ((name, value), done) in self.changes.iter().zip(done) {
            if let (Some(value), false) = (value, done) {
                push_element(&mut out, name, value.as_raw_bson_ref())?;
            }
        }
        close(&mut out, start);
        check_size(out.len(), "document")?;
        finish(out)
    }
}

/// Appends one element with its value.
///
/// Errors: `Invalid` when the name holds a NUL character.
pub(super) fn push_element(out: &mut Vec<u8>, name: &str, value: RawBsonRef<'_>) -> Result<()> {
    match value {
        RawBsonRef::Document(document) => {
            check_name(name)?;
            push_name(out, TAG_DOCUMENT, name);
            out.extend_from_slice(document.as_bytes());
        }
        RawBsonRef::Array(array) => {
            check_name(name)?;
            push_name(out, TAG_ARRAY, name);
            out.extend_from_slice(array.as_bytes());
        }
        value => {
            // Everything else is small: by way of a document of one element, so that the
            // layout of rare types stays the library's business.
            let name: &bson::raw::CStr = name.try_into().map_err(|_| nul_in_name(name))?;
            let mut one = RawDocumentBuf::new();
            one.append(name, value);
            let bytes = one.as_bytes();
            out.extend_from_slice(&bytes[4..bytes.len() - 1]);
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<()> {
    if name.bytes().any(|byte| byte == 0) {
        Err(nul_in_name(name))
    } else {
        Ok(())
    }
}

fn nul_in_name(name: &str) -> Error {
    Error::invalid(format!("Field name {name:?} holds a NUL character"))
}

/// A top-level string; `None` when it is missing or no string.
pub fn get_str<'a>(document: &'a RawDocument, name: &str) -> Option<&'a str> {
    document.get(name).ok()??.as_str()
}

/// A top-level number as an integer, whatever type it is stored as: `3`, `3.0`, `NumberLong(3)`.
/// `None` when it is missing, no number, not whole, or beyond 64 bits.
pub fn get_i64(document: &RawDocument, name: &str) -> Option<i64> {
    super::number::as_i64(document.get(name).ok()??)
}

/// A top-level boolean; `None` when it is missing or no boolean.
pub fn get_bool(document: &RawDocument, name: &str) -> Option<bool> {
    document.get(name).ok()??.as_bool()
}

/// A top-level array; `None` when it is missing or no array.
pub fn get_array<'a>(document: &'a RawDocument, name: &str) -> Option<&'a RawArray> {
    document.get(name).ok()??.as_array()
}

/// A top-level document; `None` when it is missing or no document.
pub fn get_document<'a>(document: &'a RawDocument, name: &str) -> Option<&'a RawDocument> {
    document.get(name).ok()??.as_document()
}

/// Refuses a document that is too large, nested too deeply, or damaged.
///
/// Errors: `TooLarge`, `Invalid`, `Corrupt`; each names `field`.
pub fn check(document: &RawDocument, field: &str) -> Result<()> {
    check_size(document.as_bytes().len(), field)?;
    check_nesting(document, field, 1)
}

pub(super) fn check_size(bytes: usize, field: &str) -> Result<()> {
    if bytes > limits::DOCUMENT_BYTES_MAX {
        return Err(Error::too_large(format!(
            "{field} takes {bytes} bytes of BSON; the bound is {} bytes",
            limits::DOCUMENT_BYTES_MAX
        )));
    }
    Ok(())
}

fn check_nesting(document: &RawDocument, field: &str, depth: usize) -> Result<()> {
    if depth > limits::NESTING_MAX {
        return Err(Error::invalid(format!(
            "{field} is nested deeper than {} levels",
            limits::NESTING_MAX
        )));
    }
    for element in document.iter() {
        match element.map_err(|error| damaged(field, error))?.1 {
            RawBsonRef::Document(inner) => check_nesting(inner, field, depth + 1)?,
            RawBsonRef::Array(inner) => check_nesting(as_document(inner), field, depth + 1)?,
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn damaged(field: &str, error: bson::error::Error) -> Error {
    Error::client(Code::Corrupt, format!("{field} is not valid BSON")).because(error)
}

#[cfg(test)]
#[path = "raw_tests.rs"]
mod tests;
