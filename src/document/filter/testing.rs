//! What the tests of filters share.

use super::Filter;
use crate::document::json::{parse_document, parse_query};
use crate::error::Error;

pub fn filter(text: &str) -> Filter {
    Filter::parse(&parse_query(text, "query").unwrap())
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Each filter with documents it matches and documents it does not.
pub fn check(table: &[(&str, &[&str], &[&str])]) {
    for (text, matching, others) in table {
        let filter = filter(text);
        for document in *matching {
            assert!(
                filter.matches(&parse_document(document, "item").unwrap()),
                "{text} should match {document}"
            );
        }
        for document in *others {
            assert!(
                !filter.matches(&parse_document(document, "item").unwrap()),
                "{text} should not match {document}"
            );
        }
    }
}

pub fn refused(text: &str) -> Error {
    Filter::parse(&parse_query(text, "query").unwrap()).unwrap_err()
}
