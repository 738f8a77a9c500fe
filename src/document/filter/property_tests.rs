//! Laws that hold for every filter and every document.

use bson::raw::{RawArrayBuf, RawBson, RawDocumentBuf};
use bson::rawdoc;
use proptest::prelude::*;

use super::Filter;
use crate::document::testing::{document, value};

/// Arbitrary conditions on `a`, `b` and what lies below them; operators get arguments of any type.
fn condition() -> impl Strategy<Value = RawDocumentBuf> {
    let paths = prop_oneof![
        Just(bson::raw::cstr!("a")),
        Just(bson::raw::cstr!("b")),
        Just(bson::raw::cstr!("a.b")),
        Just(bson::raw::cstr!("a.0")),
        Just(bson::raw::cstr!("a.0.b")),
        Just(bson::raw::cstr!("_id"))
    ];
    let names = prop::sample::select(vec![
        "$eq",
        "$ne",
        "$gt",
        "$gte",
        "$lt",
        "$lte",
        "$in",
        "$nin",
        "$not",
        "$exists",
        "$type",
        "$regex",
        "$all",
        "$elemMatch",
        "$size",
        "$mod",
        "$bitsAllSet",
        "$bitsAnySet",
        "$bitsAllClear",
        "$bitsAnyClear",
        "$odd",
    ]);
    let operator = (names, value()).prop_map(|(name, value)| {
        let mut document = RawDocumentBuf::new();
        document.append(<&bson::raw::CStr>::try_from(name).unwrap(), value);
        RawBson::Document(document)
    });
    (paths, prop_oneof![operator, value()]).prop_map(|(path, condition)| {
        let mut document = RawDocumentBuf::new();
        document.append(path, condition);
        document
    })
}

fn array(parts: &[RawDocumentBuf]) -> RawArrayBuf {
    let mut array = RawArrayBuf::new();
    parts.iter().for_each(|part| array.push(part.clone()));
    array
}

proptest! {
    #[test]
    fn logic_agrees_with_its_parts(one in condition(), other in condition(), document in document()) {
        if let (Ok(left), Ok(right)) = (Filter::parse(&one), Filter::parse(&other)) {
            let (left, right) = (left.matches(&document), right.matches(&document));
            let parts = array(&[one, other]);
            let holds = |filter: RawDocumentBuf| Filter::parse(&filter).unwrap().matches(&document);
            prop_assert_eq!(holds(rawdoc! { "$and": parts.clone() }), left && right);
            prop_assert_eq!(holds(rawdoc! { "$or": parts.clone() }), left || right);
            prop_assert_eq!(holds(rawdoc! { "$nor": parts }), !left && !right);
        }
    }

    #[test]
    fn not_is_the_complement(value in value(), document in document()) {
        for (operator, complement) in [("$eq", "$ne"), ("$in", "$nin")] {
            let operand = if operator == "$in" { RawBson::Array({ let mut a = RawArrayBuf::new(); a.push(value.clone()); a }) } else { value.clone() };
            let make = |name: &str| {
                let mut condition = RawDocumentBuf::new();
                condition.append(<&bson::raw::CStr>::try_from(name).unwrap(), operand.clone());
                Filter::parse(&rawdoc! { "a": condition })
            };
            if let (Ok(yes), Ok(no)) = (make(operator), make(complement)) {
                prop_assert_ne!(yes.matches(&document), no.matches(&document));
            }
        }
    }

    #[test]
    fn a_value_equals_itself_and_is_in_its_own_list(value in value()) {
        let mut document = RawDocumentBuf::new();
        document.append(bson::raw::cstr!("a"), value.clone());
        let equal = Filter::parse(&rawdoc! { "a": { "$eq": value.clone() } }).unwrap();
        prop_assert!(equal.matches(&document));
        if let Ok(list) = Filter::parse(&rawdoc! { "a": { "$in": [value] } }) {
            prop_assert!(list.matches(&document));
        }
    }

    #[test]
    fn candidates_hold_the_id_of_every_match(condition in condition(), document in document()) {
        if let Ok(filter) = Filter::parse(&condition)
            && filter.matches(&document)
            && let Some(ids) = filter.id_candidates()
        {
            let id = document.get("_id").unwrap().map(|id| bson::Bson::try_from(id).unwrap());
            prop_assert!(id.is_some_and(|id| ids.contains(&id)));
        }
    }
}
