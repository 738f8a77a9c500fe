//! Any text: what is read is a valid document within the bounds, and its JSON reads back as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use opencore::document::{json, raw};

fuzz_target!(|text: &str| {
    let _ = json::parse_documents(text, "items");
    let _ = json::parse_pipeline(text, "aggregates");
    if let Ok(query) = json::parse_query(text, "query") {
        raw::check(&query, "query").expect("a query is within the bounds");
    }
    let Ok(document) = json::parse_document(text, "item") else {
        return;
    };
    raw::check(&document, "item").expect("a document is within the bounds");
    let mut written = Vec::new();
    json::write_document(&document, &mut written).expect("what was read can be written");
    let written = String::from_utf8(written).expect("JSON is text");
    let again = json::parse_document(&written, "item").expect("what was written can be read");
    let mut twice = Vec::new();
    json::write_document(&again, &mut twice).expect("what was read can be written");
    assert_eq!(
        written.as_bytes(),
        twice,
        "the second round changes nothing"
    );
});
