//! Any two texts, a query and a document: nothing panics, and a filter, its negation and its source agree.
//! A line break parts the two.

#![no_main]

use bson::rawdoc;
use libfuzzer_sys::fuzz_target;
use opencore::document::filter::Filter;
use opencore::document::json;
use opencore::document::projection::Projection;
use opencore::document::raw;
use opencore::document::sort::Sort;

fuzz_target!(|text: &str| {
    let Some((query, item)) = text.split_once('\n') else {
        return;
    };
    let (Ok(query), Ok(item)) = (
        json::parse_query(query, "query"),
        json::parse_document(item, "item"),
    ) else {
        return;
    };
    if let Ok(filter) = Filter::parse(&query) {
        let matches = filter.matches(&item);
        let again = Filter::parse(filter.source()).expect("the source is a filter");
        assert_eq!(again.matches(&item), matches);
        if let Ok(not) = Filter::parse(&rawdoc! { "$nor": [query.clone()] })
            // An `_id` is text or ObjectId only at the top of a filter (contract 3.4).
            && query.get("_id").is_ok_and(|id| id.is_none())
            && query.get("$and").is_ok_and(|and| and.is_none())
        {
            assert_ne!(not.matches(&item), matches);
        }
    }
    if let Ok(Some(projection)) = Projection::parse(&query) {
        raw::check(&projection.apply(&item), "shown").expect("a projection shows a document");
    }
    if let Ok(Some(sort)) = Sort::parse(&query) {
        assert!(sort.compare(&item, &item).is_eq());
        assert_eq!(
            sort.compare(&item, &query),
            sort.compare(&query, &item).reverse()
        );
    }
});
