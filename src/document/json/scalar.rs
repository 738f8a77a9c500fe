//! Numbers, dates, ids and bytes as JSON text.

use std::io::Write;

use super::timestamp;

/// Doubles below this are whole numbers exactly when they look so: 2^53.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
/// Fifteen digits: no two decimals of so many are the same double.
const EXACT_DECIMAL_MAX: f64 = 1e15;

/// Decimal digits, with a sign when negative.
pub fn write_integer(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    write_decimal(value.unsigned_abs(), out);
}

/// Decimal digits.
pub fn write_decimal(mut value: u64, out: &mut Vec<u8>) {
    if value < 10 {
        return out.push(b'0' + value as u8);
    }
    let mut digits = [0; 20];
    let mut at = digits.len();
    while value >= 10 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&two_digits((value % 100) as u8));
        value /= 100;
    }
    if value > 0 {
        at -= 1;
        digits[at] = b'0' + value as u8;
    }
    out.extend_from_slice(&digits[at..]);
}

/// The digits of a value below 100.
pub fn two_digits(value: u8) -> [u8; 2] {
    [b'0' + value / 10, b'0' + value % 10]
}

/// As JavaScript prints numbers: `1`, `0.1`, `1e+21`; what JSON cannot say is null.
pub fn write_double(value: f64, out: &mut Vec<u8>) {
    let size = value.abs();
    if size < WHOLE_MAX && value.fract() == 0.0 {
        write_integer(value as i64, out);
    } else if !value.is_finite() {
        out.extend_from_slice(b"null");
    } else if (1e-6..1e21).contains(&size) {
        if !write_short(value, out) {
            // Writing to a vector cannot fail.
            let _ = write!(out, "{value}");
        }
    } else {
        write_exponential(value, out);
    }
}

/// A number of at most fifteen digits, six of them after the point, as most are that people wrote.
/// Answers false, having written nothing, for another.
fn write_short(value: f64, out: &mut Vec<u8>) -> bool {
    let millionths = (value.abs() * 1e6).round();
    // Both are whole and small, so their quotient is the double nearest to that decimal; and of
    // fifteen digits no other decimal has this double: it is the shortest there is.
    if millionths >= EXACT_DECIMAL_MAX || millionths / 1e6 != value.abs() {
        return false;
    }
    let millionths = millionths as u64;
    if value < 0.0 {
        out.push(b'-');
    }
    write_decimal(millionths / 1_000_000, out);
    let mut rest = (millionths % 1_000_000) as u32;
    let mut fraction = *b".000000";
    for digit in fraction[1..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let end = fraction.iter().rposition(|digit| *digit != b'0');
    out.extend_from_slice(&fraction[..=end.unwrap_or(0)]);
    true
}

fn write_exponential(value: f64, out: &mut Vec<u8>) {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    out.extend_from_slice(mantissa.as_bytes());
    out.push(b'e');
    if !exponent.starts_with('-') {
        out.push(b'+');
    }
    out.extend_from_slice(exponent.as_bytes());
}

/// A quoted timestamp; null for times no JavaScript date can hold.
pub fn write_date(unix_ms: i64, out: &mut Vec<u8>) {
    let start = out.len();
    out.push(b'"');
    if timestamp::write(out, unix_ms) {
        out.push(b'"');
    } else {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

/// The 24 hexadecimal digits of an object id, quoted.
pub fn write_object_id(id: [u8; 12], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'"'; 26];
    for (index, byte) in id.iter().enumerate() {
        text[1 + 2 * index] = HEX[usize::from(byte >> 4)];
        text[2 + 2 * index] = HEX[usize::from(byte & 15)];
    }
    out.extend_from_slice(&text);
}

/// Bytes as JavaScript shows a buffer.
pub fn write_buffer(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"type":"Buffer","data":["#);
    out.reserve(4 * bytes.len() + 2);
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if *byte >= 100 {
            out.push(b'0' + byte / 100);
        }
        if *byte >= 10 {
            out.push(b'0' + byte / 10 % 10);
        }
        out.push(b'0' + byte % 10);
    }
    out.extend_from_slice(b"]}");
}
