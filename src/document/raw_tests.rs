use bson::{RawBson, rawdoc};

use super::*;

#[test]
fn edit_replaces_in_place_removes_and_adds_last() {
    let document = rawdoc! { "a": 1, "b": "two", "c": [3], "d": { "e": 4 } };
    let edited = edit(&document)
        .set("b", 2_i64)
        .remove("c")
        .set("z", rawdoc! { "new": true })
        .set("y", "last")
        .remove("missing")
        .finish()
        .unwrap();
    assert_eq!(
        edited,
        rawdoc! { "a": 1, "b": 2_i64, "d": { "e": 4 }, "z": { "new": true }, "y": "last" }
    );
}

#[test]
fn the_last_change_of_a_name_counts() {
    let document = rawdoc! { "a": 1 };
    assert_eq!(
        edit(&document).set("a", 2).remove("a").finish().unwrap(),
        rawdoc! {}
    );
    assert_eq!(
        edit(&document).remove("a").set("a", 3).finish().unwrap(),
        rawdoc! { "a": 3 }
    );
}

#[test]
fn a_name_with_nul_is_refused() {
    let document = rawdoc! {};
    for value in [RawBson::Null, RawBson::Document(rawdoc! {})] {
        let error = edit(&document).set("a\0b", value).finish().unwrap_err();
        assert_eq!(error.code, Code::Invalid);
    }
}

#[test]
fn a_document_above_the_bound_is_refused_with_both_sizes() {
    let document = rawdoc! { "a": "x".repeat(limits::DOCUMENT_BYTES_MAX) };
    let error = check(&document, "item").unwrap_err();
    assert_eq!(error.code, Code::TooLarge);
    assert!(
        error.context.contains("item takes 16777229 bytes"),
        "{}",
        error.context
    );
    assert_eq!(
        edit(&document).set("b", 1).finish().unwrap_err().code,
        Code::TooLarge
    );
}

#[test]
fn nesting_is_counted_through_arrays_and_documents() {
    let mut nested = rawdoc! {};
    for _ in 1..limits::NESTING_MAX {
        nested = rawdoc! { "a": nested };
    }
    check(&nested, "item").unwrap();
    let mut array = bson::RawArrayBuf::new();
    array.push(nested);
    let error = check(&rawdoc! { "a": array }, "item").unwrap_err();
    assert!(error.context.contains("100 levels"), "{}", error.context);
}

#[test]
fn numbers_are_read_leniently() {
    let document =
        rawdoc! { "i": 3, "l": 4_i64, "d": 5.0, "half": 5.5, "text": "6", "huge": 1e300 };
    assert_eq!(get_i64(&document, "i"), Some(3));
    assert_eq!(get_i64(&document, "l"), Some(4));
    assert_eq!(get_i64(&document, "d"), Some(5));
    for name in ["half", "text", "huge", "missing"] {
        assert_eq!(get_i64(&document, name), None, "{name}");
    }
    assert_eq!(get_str(&document, "text"), Some("6"));
    assert_eq!(get_str(&document, "i"), None);
}

#[test]
fn copied_bytes_are_whole_elements() {
    let document = rawdoc! { "a": 1, "bc": "text", "d": [1, 2] };
    let names: Vec<_> = fields(&document)
        .map(|field| (field.name, field.bytes.len(), field.value_bytes().len()))
        .collect();
    assert_eq!(names, [("a", 7, 4), ("bc", 13, 9), ("d", 22, 19)]);
}
