//! What names and strings mean: in a document that is stored, and in a query.

use super::timestamp;
use crate::document::raw::{TAG_DATE, TAG_REGEX, TAG_STRING, push_string};

/// Marks a regular expression that a JavaScript client put into a query.
const REGEXP_PREFIX: &str = "__REGEXP ";
/// How a dot in a name is stored.
pub const STORED_DOT: &str = "____";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Document,
    Query,
}

impl Dialect {
    /// Whether a field of this name is left out.
    pub fn drops(self, name: &str) -> bool {
        self == Dialect::Document && name.starts_with("$$")
    }

    /// Appends the name as it is stored, without its end.
    pub fn push_name(self, out: &mut Vec<u8>, name: &str) {
        if self == Dialect::Query || !name.contains('.') {
            out.extend_from_slice(name.as_bytes());
            return;
        }
        for (index, part) in name.split('.').enumerate() {
            if index > 0 {
                out.extend_from_slice(STORED_DOT.as_bytes());
            }
            out.extend_from_slice(part.as_bytes());
        }
    }

    /// Appends the value that a string stands for and answers its tag.
    pub fn push_text(self, out: &mut Vec<u8>, text: &str) -> u8 {
        let date = match self {
            Dialect::Document => {
                timestamp::parse_stored(text).or_else(|| timestamp::parse_slash_date(text))
            }
            Dialect::Query => timestamp::parse_queried(text),
        };
        if let Some(ms) = date {
            out.extend_from_slice(&ms.to_le_bytes());
            return TAG_DATE;
        }
        if self == Dialect::Query
            && let Some((pattern, flags)) = regexp(text)
        {
            out.extend_from_slice(pattern.as_bytes());
            out.push(0);
            // JavaScript's g, y, u, d change iteration and indexes, not whether a text matches.
            out.extend(b"ims".iter().filter(|flag| flags.as_bytes().contains(flag)));
            out.push(0);
            return TAG_REGEX;
        }
        push_string(out, text);
        TAG_STRING
    }
}

/// Pattern and flags of `__REGEXP /pattern/flags`.
fn regexp(text: &str) -> Option<(&str, &str)> {
    let (pattern, flags) = text
        .strip_prefix(REGEXP_PREFIX)?
        .strip_prefix('/')?
        .rsplit_once('/')?;
    let known = flags.bytes().all(|flag| flag.is_ascii_lowercase());
    (known && !pattern.contains('\0')).then_some((pattern, flags))
}
