//! `_id` in filters: text or ObjectId alike, and which documents can match at all.

use bson::raw::{RawArrayBuf, RawBson, RawBsonRef, RawDocument, RawDocumentBuf};
use bson::{Bson, DateTime};

use super::Node;
use super::test::Test;
use crate::document::{object_id, raw};
use crate::error::Result;

/// The filter with every equality on `_id` at its top (and in `$and` there) widened: a text that may be
/// an ObjectId stands for both.
pub(super) fn widen(filter: &RawDocument) -> Result<RawDocumentBuf> {
    raw::check(filter, "query")?;
    let mut edit = raw::edit(filter);
    for field in raw::fields(filter) {
        let widened = match (field.name, field.element.value()) {
            ("_id", Ok(value)) => widen_value(value)?,
            ("$and", Ok(RawBsonRef::Array(array))) => {
                let mut parts = RawArrayBuf::new();
                for part in array.into_iter().flatten() {
                    match part {
                        RawBsonRef::Document(part) => parts.push(widen(part)?),
                        other => parts.push(RawBson::from(other)),
                    }
                }
                Some(parts.into())
            }
            _ => None,
        };
        if let Some(widened) = widened {
            edit = edit.set(field.name, widened);
        }
    }
    edit.finish()
}

/// What replaces the condition on `_id`, if anything does.
fn widen_value(value: RawBsonRef<'_>) -> Result<Option<RawBson>> {
    let operators = match value {
        RawBsonRef::String(text) => {
            return Ok(both(text).map(|both| {
                let mut operator = RawDocumentBuf::new();
                operator.append(bson::raw::cstr!("$in"), both);
                operator.into()
            }));
        }
        RawBsonRef::Document(operators) => operators,
        _ => return Ok(None),
    };
    let mut out = Vec::with_capacity(operators.as_bytes().len() + 64);
    let start = raw::open(&mut out);
    for field in raw::fields(operators) {
        let name = field.name;
        match (name, field.element.value()) {
            ("$eq" | "$ne", Ok(RawBsonRef::String(text))) if let Some(both) = both(text) => {
                let list = if name == "$eq" { "$in" } else { "$nin" };
                raw::push_element(&mut out, list, RawBson::Array(both).as_raw_bson_ref())?;
            }
            ("$in" | "$nin", Ok(RawBsonRef::Array(values))) => {
                let mut wider = RawArrayBuf::new();
                for value in values.into_iter().flatten() {
                    wider.push(RawBson::from(value));
                    if let Some(id) = value.as_str().and_then(object_id::from_query_text) {
                        wider.push(id);
                    }
                }
                raw::push_element(&mut out, name, RawBson::Array(wider).as_raw_bson_ref())?;
            }
            _ => out.extend_from_slice(field.bytes),
        }
    }
    raw::close(&mut out, start);
    Ok(Some(raw::finish(out)?.into()))
}

fn both(text: &str) -> Option<RawArrayBuf> {
    let id = object_id::from_query_text(text)?;
    let mut both = RawArrayBuf::new();
    both.push(text);
    both.push(id);
    Some(both)
}

/// See [`super::Filter::id_candidates`]. Of several bounds the shortest is taken.
pub(super) fn candidates(node: &Node) -> Option<Vec<Bson>> {
    match node {
        Node::And(nodes) => nodes.iter().filter_map(candidates).min_by_key(Vec::len),
        Node::Field { path, test } if path == "_id" => match test {
            Test::Equal(value) => Some(vec![exact(value)?]),
            Test::In(list) if list.patterns.is_empty() => list.values.iter().map(exact).collect(),
            _ => None,
        },
        _ => None,
    }
}

/// The value, if only its own bytes are equal to it: numbers have several spellings.
fn exact(value: &RawBson) -> Option<Bson> {
    Some(match value {
        RawBson::String(text) => Bson::String(text.clone()),
        RawBson::ObjectId(id) => Bson::ObjectId(*id),
        RawBson::DateTime(date) => Bson::DateTime(DateTime::from_millis(date.timestamp_millis())),
        RawBson::Boolean(value) => Bson::Boolean(*value),
        _ => return None,
    })
}
