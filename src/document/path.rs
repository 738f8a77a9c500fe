//! Walking a dotted path through documents and arrays, with MongoDB's meaning.
//!
//! `a.b` goes into documents, and into every document of an array on the way. A
//! component of digits also names an array position. An array directly inside an
//! array is only entered by position.

use bson::raw::{RawArray, RawBsonRef, RawDocument};

use super::raw;
use crate::error::{Error, Result};
use crate::limits;

/// What to do with an array at the end of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// Visit it as one value.
    Whole,
    /// Visit its elements, then the array itself.
    Elements,
}

/// Visits every value at `path`, in document order, until `visit` answers true; tells whether it did.
///
/// `None` stands for a place where the path ends before its last component: a missing
/// field, or a scalar on the way. Scalars in an array on the way are passed over.
pub fn walk<'a, F>(document: &'a RawDocument, path: &str, leaf: Leaf, visit: &mut F) -> bool
where
    F: FnMut(Option<RawBsonRef<'a>>) -> bool,
{
    let (name, rest) = split(path);
    let value = match document.get(name) {
        Ok(Some(value)) => value,
        _ => return visit(None),
    };
    match (rest, value) {
        (None, RawBsonRef::Array(array)) if leaf == Leaf::Elements => {
            array
                .into_iter()
                .flatten()
                .any(|element| visit(Some(element)))
                || visit(Some(value))
        }
        (None, value) => visit(Some(value)),
        (Some(rest), RawBsonRef::Document(inner)) => walk(inner, rest, leaf, visit),
        (Some(rest), RawBsonRef::Array(array)) => walk_array(array, rest, leaf, visit),
        (Some(_), _) => visit(None),
    }
}

fn walk_array<'a, F>(array: &'a RawArray, path: &str, leaf: Leaf, visit: &mut F) -> bool
where
    F: FnMut(Option<RawBsonRef<'a>>) -> bool,
{
    let (name, rest) = split(path);
    let position = position(name);
    for (index, element) in array.into_iter().flatten().enumerate() {
        // Both meanings of `a.0.b` apply: field `0` of the element, and the element at 0.
        if let RawBsonRef::Document(inner) = element
            && walk(inner, path, leaf, visit)
        {
            return true;
        }
        if position != Some(index) {
            continue;
        }
        let found = match (rest, element) {
            (None, element) => visit(Some(element)),
            (Some(rest), RawBsonRef::Document(inner)) => walk(inner, rest, leaf, visit),
            (Some(rest), RawBsonRef::Array(inner)) => walk_array(inner, rest, leaf, visit),
            (Some(_), _) => false,
        };
        if found {
            return true;
        }
    }
    false
}

/// The value at `path` without looking into arrays, except by position.
pub fn get<'a>(document: &'a RawDocument, path: &str) -> Option<RawBsonRef<'a>> {
    let (name, rest) = split(path);
    let value = document.get(name).ok()??;
    match (rest, value) {
        (None, value) => Some(value),
        (Some(rest), RawBsonRef::Document(inner)) => get(inner, rest),
        (Some(rest), RawBsonRef::Array(inner)) => get(raw::as_document(inner), rest),
        (Some(_), _) => None,
    }
}

/// First component and the rest.
pub fn split(path: &str) -> (&str, Option<&str>) {
    match path.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    }
}

/// The array position a component names: digits without leading zeros.
pub fn position(name: &str) -> Option<usize> {
    let canonical = name == "0" || !name.starts_with('0');
    if canonical && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        name.parse().ok()
    } else {
        None
    }
}

/// Refuses paths that would make a walk costly.
///
/// Errors: `Invalid` above `limits::NESTING_MAX` components or `limits::PATH_POSITIONS_MAX` of digits.
pub fn check(path: &str) -> Result<()> {
    let components = path.split('.').count();
    if components > limits::NESTING_MAX {
        return Err(Error::invalid(format!(
            "A field path has {components} components; at most {} are allowed",
            limits::NESTING_MAX
        )));
    }
    let positions = path
        .split('.')
        .filter(|name| position(name).is_some())
        .count();
    if positions > limits::PATH_POSITIONS_MAX {
        return Err(Error::invalid(format!(
            "Field path {path:?} names {positions} array positions; at most {} are allowed",
            limits::PATH_POSITIONS_MAX
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::{RawBson, RawDocumentBuf, rawdoc};

    fn all(document: &RawDocument, path: &str, leaf: Leaf) -> Vec<Option<RawBson>> {
        let mut seen = Vec::new();
        walk(document, path, leaf, &mut |value| {
            seen.push(value.map(RawBson::from));
            false
        });
        seen
    }

    fn some(value: impl Into<RawBson>) -> Option<RawBson> {
        Some(value.into())
    }

    #[test]
    fn documents_are_entered_by_name() {
        let document = rawdoc! { "a": { "b": { "c": 1 } }, "x": 5 };
        assert_eq!(all(&document, "a.b.c", Leaf::Whole), [some(1)]);
        assert_eq!(all(&document, "a.b.z", Leaf::Whole), [None]);
        assert_eq!(
            all(&document, "x.y", Leaf::Whole),
            [None],
            "a scalar on the way"
        );
        assert_eq!(get(&document, "a.b.c"), Some(RawBsonRef::Int32(1)));
    }

    #[test]
    fn arrays_on_the_way_are_entered_by_element() {
        let document = rawdoc! { "a": [{ "b": 1 }, 7, { "c": 2 }, [{ "b": 3 }], { "b": [4, 5] }] };
        let array: RawBson = document
            .get_array("a")
            .unwrap()
            .get_document(4)
            .unwrap()
            .get("b")
            .unwrap()
            .unwrap()
            .into();
        assert_eq!(
            all(&document, "a.b", Leaf::Elements),
            [some(1), None, some(4), some(5), Some(array)],
            "scalars and nested arrays are passed over"
        );
        assert!(all(&rawdoc! { "a": [] }, "a.b", Leaf::Elements).is_empty());
        assert!(all(&rawdoc! { "a": [1, 2] }, "a.b", Leaf::Elements).is_empty());
    }

    #[test]
    fn digits_name_positions_and_fields() {
        let document: RawDocumentBuf = rawdoc! { "a": [5, { "1": 4 }, 3] };
        assert_eq!(
            all(&document, "a.1", Leaf::Elements),
            [some(4), some(rawdoc! { "1": 4 })]
        );
        let document = rawdoc! { "a": [5, { "b": 4 }, 3] };
        assert_eq!(all(&document, "a.1.b", Leaf::Elements), [None, some(4)]);
        let document = rawdoc! { "a": [5, [{ "b": 4 }], 3] };
        assert_eq!(all(&document, "a.1.b", Leaf::Elements), [some(4)]);
        assert_eq!(all(&document, "a.01", Leaf::Elements), []);
        assert_eq!(get(&document, "a.1.0.b"), Some(RawBsonRef::Int32(4)));
    }

    #[test]
    fn an_array_reached_by_position_is_one_value() {
        let document = rawdoc! { "a": [5, [2, 4], 3] };
        assert_eq!(all(&document, "a.1", Leaf::Elements).len(), 1);
    }

    #[test]
    fn costly_paths_are_refused() {
        check("a.0.b.1").unwrap();
        assert!(
            check(&"0.".repeat(20))
                .unwrap_err()
                .context
                .contains("array positions")
        );
        assert!(
            check(&"a.".repeat(200))
                .unwrap_err()
                .context
                .contains("components")
        );
    }

    #[test]
    fn the_walk_stops_at_the_first_yes() {
        let document = rawdoc! { "a": [1, 2, 3] };
        let mut count = 0;
        assert!(walk(&document, "a", Leaf::Elements, &mut |_| {
            count += 1;
            count == 2
        }));
        assert_eq!(count, 2);
    }
}
