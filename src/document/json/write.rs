//! Raw BSON to JSON text, as clients of the contract read it (3.4).

use bson::raw::{RawArray, RawBsonRef, RawDocument, RawDocumentBuf};

use super::dialect::STORED_DOT;
use super::timestamp;
use crate::document::raw::push_decimal;
use crate::error::{Code, Error, Result};
use crate::limits;

/// Doubles below this are whole numbers exactly when they look so: 2^53.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Appends the document as a JSON object.
///
/// Errors: `Corrupt` when the bytes are not valid BSON or are nested beyond twice `limits::NESTING_MAX`;
/// `out` then holds a part of it.
pub fn write_document(document: &RawDocument, out: &mut Vec<u8>) -> Result<()> {
    write_object(document, out, 1)
}

/// Appends the documents as a JSON array. Errors: as [`write_document`].
pub fn write_documents(documents: &[RawDocumentBuf], out: &mut Vec<u8>) -> Result<()> {
    out.push(b'[');
    for (index, document) in documents.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_document(document, out)?;
    }
    out.push(b']');
    Ok(())
}

/// Appends any value as JSON. Errors: as [`write_document`].
pub fn write_value(value: RawBsonRef<'_>, out: &mut Vec<u8>) -> Result<()> {
    write_at(value, out, 1)
}

fn write_object(document: &RawDocument, out: &mut Vec<u8>, depth: usize) -> Result<()> {
    check_depth(depth)?;
    out.push(b'{');
    for (index, element) in document.iter().enumerate() {
        let (name, value) = element.map_err(corrupt)?;
        if index > 0 {
            out.push(b',');
        }
        write_name(name.as_str(), out);
        out.push(b':');
        write_at(value, out, depth + 1)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_array(array: &RawArray, out: &mut Vec<u8>, depth: usize) -> Result<()> {
    check_depth(depth)?;
    out.push(b'[');
    for (index, element) in array.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_at(element.map_err(corrupt)?, out, depth + 1)?;
    }
    out.push(b']');
    Ok(())
}

fn write_at(value: RawBsonRef<'_>, out: &mut Vec<u8>, depth: usize) -> Result<()> {
    match value {
        RawBsonRef::String(text) | RawBsonRef::Symbol(text) | RawBsonRef::JavaScriptCode(text) => {
            write_text(text, out)
        }
        RawBsonRef::Int32(value) => write_integer(value.into(), out),
        RawBsonRef::Int64(value) => write_integer(value, out),
        RawBsonRef::Double(value) => write_double(value, out),
        RawBsonRef::Boolean(true) => out.extend_from_slice(b"true"),
        RawBsonRef::Boolean(false) => out.extend_from_slice(b"false"),
        RawBsonRef::Document(document) => return write_object(document, out, depth),
        RawBsonRef::Array(array) => return write_array(array, out, depth),
        RawBsonRef::DateTime(date) => write_date(date.timestamp_millis(), out),
        RawBsonRef::ObjectId(id) => write_quoted(id.to_hex().as_bytes(), out),
        RawBsonRef::Binary(binary) => write_buffer(binary.bytes, out),
        RawBsonRef::RegularExpression(regex) => {
            write_text(&format!("/{}/{}", regex.pattern, regex.options), out)
        }
        RawBsonRef::Decimal128(value) => write_text(&value.to_string(), out),
        // The driver of the reference prints a timestamp as the 64-bit number it is, in text.
        RawBsonRef::Timestamp(value) => {
            let number = u64::from(value.time) << 32 | u64::from(value.increment);
            write_text(&number.to_string(), out);
        }
        RawBsonRef::JavaScriptCodeWithScope(value) => write_text(value.code, out),
        RawBsonRef::MinKey => out.extend_from_slice(br#"{"$minKey":1}"#),
        RawBsonRef::MaxKey => out.extend_from_slice(br#"{"$maxKey":1}"#),
        RawBsonRef::Null | RawBsonRef::Undefined | RawBsonRef::DbPointer(_) => {
            out.extend_from_slice(b"null")
        }
    }
    Ok(())
}

fn check_depth(depth: usize) -> Result<()> {
    // Foreign data may be a little deeper than what we accept; only the stack must be safe.
    if depth > 2 * limits::NESTING_MAX {
        return Err(Error::client(
            Code::Corrupt,
            "A document is nested too deeply to be shown",
        ));
    }
    Ok(())
}

fn corrupt(error: bson::error::Error) -> Error {
    Error::client(Code::Corrupt, "A document is not valid BSON").because(error)
}

fn write_name(name: &str, out: &mut Vec<u8>) {
    if name.contains(STORED_DOT) {
        write_text(&name.replace(STORED_DOT, "."), out);
    } else {
        write_text(name, out);
    }
}

fn write_quoted(plain: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(plain);
    out.push(b'"');
}

/// A string: runs that need no escape are copied as they are.
fn write_text(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut start = 0;
    let mut at = 0;
    while at < bytes.len() {
        // Eight bytes at a time while none of them wants an escape.
        if let Some(chunk) = bytes.get(at..at + 8)
            && !any_escape(u64::from_le_bytes(chunk.try_into().unwrap_or_default()))
        {
            at += 8;
            continue;
        }
        let byte = bytes[at];
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            at += 1;
            continue;
        }
        out.extend_from_slice(&bytes[start..at]);
        write_escape(byte, out);
        at += 1;
        start = at;
    }
    out.extend_from_slice(&bytes[start..]);
    out.push(b'"');
}

/// Whether one of eight bytes is a control character, a quote or a backslash.
fn any_escape(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // A byte becomes zero where it equals the mark; subtracting then borrows into its high bit.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zero(word ^ (ONES * b'"' as u64));
    let backslash = zero(word ^ (ONES * b'\\' as u64));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & HIGHS != 0
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn write_integer(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    push_decimal(out, value.unsigned_abs());
}

/// As JavaScript prints numbers: `1`, `0.1`, `1e+21`; what JSON cannot say is null.
fn write_double(value: f64, out: &mut Vec<u8>) {
    let size = value.abs();
    if size < WHOLE_MAX && value.fract() == 0.0 {
        write_integer(value as i64, out);
    } else if !value.is_finite() {
        out.extend_from_slice(b"null");
    } else if (1e-6..1e21).contains(&size) {
        out.extend_from_slice(value.to_string().as_bytes());
    } else {
        let text = format!("{value:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        out.extend_from_slice(mantissa.as_bytes());
        out.push(b'e');
        if !exponent.starts_with('-') {
            out.push(b'+');
        }
        out.extend_from_slice(exponent.as_bytes());
    }
}

fn write_date(unix_ms: i64, out: &mut Vec<u8>) {
    let start = out.len();
    out.push(b'"');
    if timestamp::write(out, unix_ms) {
        out.push(b'"');
    } else {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

fn write_buffer(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"type":"Buffer","data":["#);
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_decimal(out, (*byte).into());
    }
    out.extend_from_slice(b"]}");
}
