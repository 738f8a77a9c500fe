//! The writer against the library's own reader, and on damaged bytes.

use bson::raw::{RawArray, RawBsonRef, RawDocument, RawDocumentBuf};
use bson::{RawBson, rawdoc};
use proptest::prelude::*;

use super::*;
use crate::document::testing;
use crate::error::Code;

fn text_of(document: &RawDocument) -> String {
    let mut out = Vec::new();
    write_document(document, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Whether the library reads all of it without a complaint.
fn is_valid(document: &RawDocument) -> bool {
    document.iter().all(|field| match field {
        Ok((_, RawBsonRef::Document(inner))) => is_valid(inner),
        Ok((_, RawBsonRef::Array(inner))) => is_valid_array(inner),
        other => other.is_ok(),
    })
}

fn is_valid_array(array: &RawArray) -> bool {
    RawDocument::from_bytes(array.as_bytes()).is_ok_and(is_valid)
}

fn sample() -> RawDocumentBuf {
    rawdoc! {
        "_id": "5f0000000000000000000001", "a____b": { "c": [1, 2_i64, 3.5, { "é\"": "\u{1f600}" }] },
        "d": bson::DateTime::from_millis(0), "b": true, "n": null,
        "bin": bson::Binary { subtype: bson::spec::BinarySubtype::BinaryOld, bytes: vec![1, 2] },
        "js": RawBson::JavaScriptCodeWithScope(bson::raw::RawJavaScriptCodeWithScope {
            code: "x".into(), scope: rawdoc! { "y": 1 },
        }),
    }
}

#[test]
fn names_of_all_lengths_and_places_are_restored() {
    for before in 0..20 {
        for underscores in 0..10 {
            let name = format!("{}{}z", "x".repeat(before), "_".repeat(underscores));
            let mut document = RawDocumentBuf::new();
            document.append(bson::raw::CString::try_from(name.clone()).unwrap(), 1);
            let mut longer = document.clone();
            longer.append(bson::raw::cstr!("and more behind it"), "text");
            let shown = name.replace("____", ".");
            assert_eq!(text_of(&document), format!("{{\"{shown}\":1}}"));
            assert!(text_of(&longer).starts_with(&format!("{{\"{shown}\":1,")));
        }
    }
}

#[test]
fn a_character_to_escape_is_found_at_every_place() {
    for length in 0..80 {
        for at in 0..length {
            for character in ['"', '\\', '\u{1f}', '\0', '\u{7f}', '\u{80}', '!'] {
                let mut text = "a".repeat(length);
                text.insert(at, character);
                let document = rawdoc! { "t": &*text, "rest": "0123456789" };
                let read: serde_json::Value = serde_json::from_str(&text_of(&document)).unwrap();
                assert_eq!(read["t"], text.as_str());
            }
        }
    }
}

#[test]
fn rare_values_have_their_conventions() {
    assert_eq!(
        text_of(&sample()),
        concat!(
            r#"{"_id":"5f0000000000000000000001","a.b":{"c":[1,2,3.5,{"é\"":"😀"}]},"#,
            r#""d":"1970-01-01T00:00:00.000Z","b":true,"n":null,"#,
            r#""bin":{"type":"Buffer","data":[1,2]},"js":"x"}"#
        )
    );
}

#[test]
fn text_that_is_not_utf8_is_an_error() {
    let document = rawdoc! { "name": "text of a field" };
    for at in [5, 7, 15, 20] {
        let mut bytes = document.as_bytes().to_vec();
        bytes[at] = 0xff;
        let damaged = RawDocumentBuf::from_bytes(bytes).unwrap();
        let error = write_document(&damaged, &mut Vec::new()).unwrap_err();
        assert_eq!(error.code, Code::Corrupt);
        let error = write_documents(&[damaged], &mut Vec::new()).unwrap_err();
        assert_eq!(error.code, Code::Corrupt);
    }
}

#[test]
fn every_damaged_byte_is_an_error_or_still_valid_text() {
    let sample = sample();
    for at in 4..sample.as_bytes().len() - 1 {
        for byte in 0..=255 {
            let mut bytes = sample.as_bytes().to_vec();
            bytes[at] = byte;
            let damaged = RawDocumentBuf::from_bytes(bytes).unwrap();
            let mut out = Vec::new();
            match write_document(&damaged, &mut out) {
                Ok(()) => drop(serde_json::from_slice::<serde_json::Value>(&out).unwrap()),
                Err(error) => {
                    assert_eq!(error.code, Code::Corrupt);
                    assert!(!is_valid(&damaged), "byte {at} as {byte}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn a_short_query_is_read_as_a_spaced_one(
        name in "[a-z.$_\"\\\\é\u{1}]{0,6}",
        value in "[a-z/ \"\\\\é\u{1}]{0,9}|__REGEXP /[a-z]{0,3}/[a-z]{0,2}|2024-01-0[0-9]T00:00:00.000Z",
    ) {
        let tight = format!("{{\"{name}\":\"{value}\"}}");
        let spaced = format!("{{ \"{name}\":\"{value}\"}}");
        match (parse_query(&tight, "query"), parse_query(&spaced, "query")) {
            (Ok(tight), Ok(spaced)) => prop_assert_eq!(tight, spaced),
            (tight, spaced) => prop_assert!(tight.is_err() && spaced.is_err()),
        }
    }

    #[test]
    fn any_document_is_valid_text(document in testing::document()) {
        let text = text_of(&document);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
    }

    #[test]
    fn any_double_is_written_as_the_shortest_text(value in prop_oneof![
        any::<f64>(),
        -1e9..1e9_f64,
        (any::<i32>(), 0..8).prop_map(|(n, places)| f64::from(n) / 10_f64.powi(places)),
    ]) {
        let mut out = Vec::new();
        write_value(RawBsonRef::Double(value), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        if value.is_finite() {
            prop_assert_eq!(text.parse::<f64>().unwrap(), value);
        }
        if (1e-6..1e15).contains(&value.abs()) {
            prop_assert_eq!(text, value.to_string());
        }
    }
}
