//! Names and strings as JSON text: copied eight bytes at a time, escaped where one asks for it.
//!
//! Nothing here looks at UTF-8: every byte that is cut, escaped or replaced is ASCII, so text is
//! valid after exactly when it was before; the writer checks its output once.

use super::dialect::STORED_DOT;

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES << 7;

/// Appends the name that starts at `start` and ends with NUL, quoted, with a colon; what stands for
/// a dot is a dot again. Answers where its value starts, `None` when nothing ends the name.
pub fn write_name(bytes: &[u8], start: usize, out: &mut Vec<u8>) -> Option<usize> {
    out.push(b'"');
    let mark = out.len();
    let mut at = start;
    while let Some(word) = word(bytes, at) {
        let nul = equals(word, 0);
        let before_nul = nul.wrapping_sub(1) & !nul;
        let underscore = equals(word, b'_');
        // Of four in a row two are neighbours in one word, wherever the words are cut.
        let wanting = escapes(word) | (underscore & (underscore >> 8));
        if wanting & before_nul != 0 {
            break;
        }
        out.extend_from_slice(&word.to_le_bytes());
        if nul != 0 {
            let end = at + nul.trailing_zeros() as usize / 8;
            out.truncate(mark + end - start);
            out.extend_from_slice(b"\":");
            return Some(end + 1);
        }
        at += 8;
    }
    out.truncate(mark);
    write_name_slowly(bytes, start, out)
}

/// Any name, byte by byte: a rare one, or one within the last bytes of a document.
fn write_name_slowly(bytes: &[u8], start: usize, out: &mut Vec<u8>) -> Option<usize> {
    let name = &bytes[start..name_end(bytes, start)?];
    let mut at = 0;
    while at < name.len() {
        let byte = name[at];
        if byte == b'_' && name[at..].starts_with(STORED_DOT.as_bytes()) {
            out.push(b'.');
            at += STORED_DOT.len();
            continue;
        }
        push_escaped(byte, out);
        at += 1;
    }
    out.extend_from_slice(b"\":");
    Some(start + name.len() + 1)
}

/// Where the NUL is that ends the name at `start`.
pub fn name_end(bytes: &[u8], start: usize) -> Option<usize> {
    let length = bytes.get(start..)?.iter().position(|byte| *byte == 0)?;
    Some(start + length)
}

/// Appends `bytes[start..end]` as a quoted string. The range lies within `bytes`.
pub fn write_text(bytes: &[u8], start: usize, end: usize, out: &mut Vec<u8>) {
    out.push(b'"');
    push_text(bytes, start, end, out);
    out.push(b'"');
}

/// As [`write_text`], without the quotes.
pub fn push_text(bytes: &[u8], start: usize, end: usize, out: &mut Vec<u8>) {
    let mut at = start;
    while at < end {
        if let Some(block) = bytes[at..end].first_chunk::<32>()
            && !any_escape(block)
        {
            out.extend_from_slice(block);
            at += 32;
            continue;
        }
        let Some(word) = word(bytes, at) else {
            push_escaped(bytes[at], out);
            at += 1;
            continue;
        };
        // The word may reach beyond the text: what follows it is cut off again.
        let within = (end - at).min(8);
        let plain = (escapes(word).trailing_zeros() as usize / 8).min(within);
        let length = out.len() + plain;
        out.extend_from_slice(&word.to_le_bytes());
        out.truncate(length);
        at += plain;
        if plain < within {
            push_escaped(bytes[at], out);
            at += 1;
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let chunk = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*chunk))
}

/// High bits of the bytes that equal `mark`. The lowest is exact; others may be false.
fn equals(word: u64, mark: u8) -> u64 {
    // A byte becomes zero where it equals the mark; subtracting then borrows into its high bit.
    let word = word ^ (ONES * u64::from(mark));
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// High bits of the bytes that want an escape: quotes, backslashes and control characters.
/// The lowest is exact; others may be false.
fn escapes(word: u64) -> u64 {
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
    equals(word, b'"') | equals(word, b'\\') | control
}

/// Written without a way out of the loop, so that it becomes a few wide instructions.
fn any_escape(block: &[u8; 32]) -> bool {
    block.iter().fold(false, |found, byte| {
        found | (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\')
    })
}

fn push_escaped(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        0..0x20 => {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
            return;
        }
        plain => return out.push(plain),
    };
    out.extend_from_slice(&[b'\\', short]);
}
