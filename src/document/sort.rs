//! The order of a result (contract 6.2, `orderby`).

use std::cmp::Ordering;

use bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf};

use super::compare::compare;
use super::number::Number;
use super::path::{self, Leaf};
use super::{json, raw};
use crate::error::{Code, Error, Result};
use crate::limits;

/// Fields by which documents are ordered, the first one first.
#[derive(Clone, Debug)]
pub struct Sort {
    source: RawDocumentBuf,
    keys: Vec<Key>,
}

#[derive(Clone, Debug)]
struct Key {
    path: String,
    descending: bool,
}

impl Sort {
    /// `orderby` as clients send it: JSON when it holds a `{`, and a field name, ascending, otherwise or
    /// when it is no JSON. `None` for empty text and for `{}`.
    ///
    /// Errors: as [`Sort::parse`].
    pub fn parse_orderby(text: &str) -> Result<Option<Sort>> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if text.contains('{')
            && let Ok(document) = json::parse_query(text, "orderby")
        {
            return Self::parse(&document);
        }
        let name: &bson::raw::CStr = text
            .try_into()
            .map_err(|_| Error::invalid("orderby holds a NUL character"))?;
        let mut document = RawDocumentBuf::new();
        document.append(name, 1);
        Self::parse(&document)
    }

    /// A sort document: names with 1 or -1, or the words that drivers take for them.
    ///
    /// Errors: `Invalid` for other directions, costly paths, more than `limits::SORT_FIELDS_MAX` fields;
    /// `Unimplemented` for `$meta`.
    pub fn parse(document: &RawDocument) -> Result<Option<Sort>> {
        let mut keys = Vec::new();
        for element in document.iter() {
            let (name, direction) = element.map_err(|error| raw::damaged("orderby", error))?;
            let path = name.as_str().to_owned();
            path::check(&path)?;
            let descending = is_descending(&path, direction)?;
            keys.push(Key { path, descending });
        }
        if keys.len() > limits::SORT_FIELDS_MAX {
            return Err(Error::invalid(format!(
                "A sort may name {} fields",
                limits::SORT_FIELDS_MAX
            )));
        }
        Ok((!keys.is_empty()).then(|| Sort {
            source: document.to_owned(),
            keys,
        }))
    }

    /// The sort as a document, for a store that sorts elsewhere.
    pub fn source(&self) -> &RawDocument {
        &self.source
    }

    /// A total order. A missing field counts as null. Of an array the least element counts where the
    /// order ascends, the greatest where it descends; an empty array is below null.
    pub fn compare(&self, a: &RawDocument, b: &RawDocument) -> Ordering {
        for key in &self.keys {
            let order = compare(key.of(a), key.of(b));
            if order.is_ne() {
                return if key.descending {
                    order.reverse()
                } else {
                    order
                };
            }
        }
        Ordering::Equal
    }
}

impl Key {
    fn of<'a>(&self, document: &'a RawDocument) -> RawBsonRef<'a> {
        let mut best = None;
        path::walk(document, &self.path, Leaf::Whole, &mut |value| {
            match value {
                Some(RawBsonRef::Array(array)) if array.is_empty() => {
                    self.take(&mut best, RawBsonRef::Undefined)
                }
                Some(RawBsonRef::Array(array)) => {
                    array
                        .into_iter()
                        .flatten()
                        .for_each(|element| self.take(&mut best, element));
                }
                Some(value) => self.take(&mut best, value),
                None => self.take(&mut best, RawBsonRef::Null),
            }
            false
        });
        best.unwrap_or(RawBsonRef::Null)
    }

    fn take<'a>(&self, best: &mut Option<RawBsonRef<'a>>, value: RawBsonRef<'a>) {
        let wanted = if self.descending {
            Ordering::Greater
        } else {
            Ordering::Less
        };
        if best.is_none_or(|best| compare(value, best) == wanted) {
            *best = Some(value);
        }
    }
}

fn is_descending(path: &str, direction: RawBsonRef<'_>) -> Result<bool> {
    match direction {
        RawBsonRef::String("asc" | "ascending" | "1") => return Ok(false),
        RawBsonRef::String("desc" | "descending" | "-1") => return Ok(true),
        RawBsonRef::Document(_) => {
            return Err(Error::client(
                Code::Unimplemented,
                format!(
                    "Sort by a computed value ({path}) is not available: sort by a stored field, 1 or -1"
                ),
            ));
        }
        _ => {}
    }
    match Number::of(direction).and_then(Number::truncate) {
        Some(1) => Ok(false),
        Some(-1) => Ok(true),
        _ => Err(Error::invalid(format!(
            "Sort direction of {path} must be 1 (ascending) or -1 (descending)"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::testing::document;
    use bson::rawdoc;
    use proptest::prelude::*;

    fn order(orderby: &str, a: RawDocumentBuf, b: RawDocumentBuf) -> Ordering {
        Sort::parse_orderby(orderby)
            .unwrap()
            .unwrap()
            .compare(&a, &b)
    }

    #[test]
    fn orderby_is_json_or_a_name() {
        let source = |text| Sort::parse_orderby(text).unwrap().map(|sort| sort.source);
        assert_eq!(source(""), None);
        assert_eq!(source("{}"), None);
        assert_eq!(source("name"), Some(rawdoc! { "name": 1 }));
        assert_eq!(
            source(r#"{"b":-1,"a":1}"#),
            Some(rawdoc! { "b": -1, "a": 1 }),
            "in the order given"
        );
        assert_eq!(source("{oops"), Some(rawdoc! { "{oops": 1 }));
        assert_eq!(source(r#"{"b":"desc"}"#), Some(rawdoc! { "b": "desc" }));
    }

    #[test]
    fn bad_directions_are_refused() {
        for text in [r#"{"a":0}"#, r#"{"a":2}"#, r#"{"a":"up"}"#, r#"{"a":null}"#] {
            assert_eq!(
                Sort::parse_orderby(text).unwrap_err().code,
                Code::Invalid,
                "{text}"
            );
        }
        let error = Sort::parse_orderby(r#"{"score":{"$meta":"textScore"}}"#).unwrap_err();
        assert_eq!(error.code, Code::Unimplemented);
        let many: Vec<_> = (0..33).map(|n| format!("\"f{n}\":1")).collect();
        assert!(Sort::parse_orderby(&format!("{{{}}}", many.join(","))).is_err());
    }

    #[test]
    fn later_fields_decide_ties() {
        let spec = r#"{"a":1,"b":-1}"#;
        assert_eq!(
            order(spec, rawdoc! { "a": 1, "b": 1 }, rawdoc! { "a": 2, "b": 9 }),
            Ordering::Less
        );
        assert_eq!(
            order(
                spec,
                rawdoc! { "a": 1, "b": 1 },
                rawdoc! { "a": 1.0, "b": 9 }
            ),
            Ordering::Greater
        );
        assert_eq!(
            order(spec, rawdoc! { "a": 1 }, rawdoc! { "a": 1, "b": null }),
            Ordering::Equal
        );
    }

    #[test]
    fn arrays_count_by_their_least_or_greatest() {
        let (wide, middle) = (rawdoc! { "a": [1, 9] }, rawdoc! { "a": 5 });
        assert_eq!(order("a", wide.clone(), middle.clone()), Ordering::Less);
        assert_eq!(order(r#"{"a":-1}"#, wide, middle), Ordering::Less);
        assert_eq!(order("a", rawdoc! { "a": [] }, rawdoc! {}), Ordering::Less);
        assert_eq!(order("a", rawdoc! {}, rawdoc! { "a": 0 }), Ordering::Less);
        assert_eq!(
            order(
                "a.b",
                rawdoc! { "a": [{ "b": 3 }, { "b": 1 }] },
                rawdoc! { "a": { "b": 2 } }
            ),
            Ordering::Less
        );
        assert_eq!(
            order("a.b", rawdoc! { "a": [1] }, rawdoc! {}),
            Ordering::Equal
        );
    }

    proptest! {
        #[test]
        fn a_sort_is_a_total_order(a in document(), b in document(), c in document(), down in any::<bool>()) {
            let spec = if down { r#"{"a":-1,"b.a":1}"# } else { r#"{"a.b":1,"b":-1}"# };
            let sort = Sort::parse_orderby(spec).unwrap().unwrap();
            prop_assert_eq!(sort.compare(&a, &a), Ordering::Equal);
            prop_assert_eq!(sort.compare(&a, &b), sort.compare(&b, &a).reverse());
            if sort.compare(&a, &b).is_le() && sort.compare(&b, &c).is_le() {
                prop_assert!(sort.compare(&a, &c).is_le());
            }
        }
    }
}
