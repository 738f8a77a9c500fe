//! Identities, what a filter refuses, and its bounds.

use bson::{Bson, RawDocumentBuf, oid::ObjectId, rawdoc};

use super::Filter;
use super::testing::{filter, refused};
use crate::error::Code;
use crate::limits;

#[test]
fn id_text_matches_object_ids_too() {
    let hex = "5f0000000000000000000abc";
    let id = ObjectId::parse_str(hex).unwrap();
    let (by_text, by_id) = (
        rawdoc! { "_id": hex, "a": 1 },
        rawdoc! { "_id": id, "a": 1 },
    );
    for text in [
        format!(r#"{{"_id":"{hex}"}}"#),
        format!(r#"{{"_id":{{"$eq":"{hex}"}}}}"#),
        format!(r#"{{"_id":{{"$in":["other","{hex}"]}}}}"#),
        format!(r#"{{"$and":[{{"a":1}},{{"_id":"{hex}"}}]}}"#),
    ] {
        let filter = filter(&text);
        assert!(filter.matches(&by_text) && filter.matches(&by_id), "{text}");
        let candidates = filter.id_candidates().unwrap();
        assert!(
            candidates.contains(&Bson::String(hex.into()))
                && candidates.contains(&Bson::ObjectId(id)),
            "{text}"
        );
        assert!(
            Filter::parse(filter.source()).unwrap().matches(&by_id),
            "{text}: the source says it too"
        );
    }
    let not = filter(&format!(r#"{{"_id":{{"$ne":"{hex}"}}}}"#));
    assert!(!not.matches(&by_text) && !not.matches(&by_id));
    assert!(
        !filter(&format!(r#"{{"ref":"{hex}"}}"#)).matches(&rawdoc! { "ref": id }),
        "only _id"
    );
    let twelve = rawdoc! { "_id": ObjectId::from_bytes(*b"twelve bytes") };
    assert!(filter(r#"{"_id":"twelve bytes"}"#).matches(&twelve));
}

#[test]
fn candidates_bound_only_what_is_bounded() {
    let candidates = |text: &str| filter(text).id_candidates().map(|ids| ids.len());
    assert_eq!(candidates(r#"{"_id":"x"}"#), Some(1));
    assert_eq!(candidates(r#"{"_id":"x","a":1}"#), Some(1));
    assert_eq!(candidates(r#"{"_id":{"$in":["x","y"]}}"#), Some(2));
    assert_eq!(
        candidates(r#"{"_id":{"$in":["x","y"],"$eq":"x"}}"#),
        Some(1)
    );
    for unbounded in [
        "{}",
        r#"{"a":"x"}"#,
        r#"{"_id":5}"#,
        r#"{"_id":null}"#,
        r#"{"_id":{"a":1}}"#,
        r#"{"_id":{"$ne":"x"}}"#,
        r#"{"_id":{"$in":["x",null]}}"#,
        r#"{"_id":{"$in":["x",5]}}"#,
        r#"{"_id":{"$in":["x","__REGEXP /y/"]}}"#,
        r#"{"_id":{"$regex":"x"}}"#,
        r#"{"$or":[{"_id":"x"},{"a":1}]}"#,
    ] {
        assert_eq!(candidates(unbounded), None, "{unbounded}");
    }
    assert_eq!(Filter::everything().id_candidates(), None);
    assert!(Filter::everything().matches(&RawDocumentBuf::new()));
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    for (text, reason) in [
        (r#"{"$x":1}"#, "unknown top level operator: $x"),
        (r#"{"a":{"$x":1}}"#, "unknown operator: $x"),
        (r#"{"a":{"$gt":1,"b":2}}"#, "unknown operator: b"),
        (r#"{"$and":[]}"#, "$and must be a nonempty array"),
        (r#"{"$or":{}}"#, "$or must be a nonempty array"),
        (r#"{"$nor":[1]}"#, "$nor entries need to be full objects"),
        (r#"{"a":{"$in":1}}"#, "$in needs an array"),
        (r#"{"a":{"$in":[{"$gt":1}]}}"#, "cannot nest $ under $in"),
        (r#"{"a":{"$all":1}}"#, "$all needs an array"),
        (r#"{"a":{"$all":[{"$gt":1}]}}"#, "no $ expressions in $all"),
        (r#"{"a":{"$not":{}}}"#, "$not cannot be empty"),
        (r#"{"a":{"$not":1}}"#, "$not needs a regex or a document"),
        (r#"{"a":{"$elemMatch":1}}"#, "$elemMatch needs an Object"),
        (
            r#"{"a":{"$ne":"__REGEXP /x/"}}"#,
            "Can't have regex as arg to $ne",
        ),
        (r#"{"a":{"$options":"i"}}"#, "$options needs a $regex"),
        (r#"{"a":{"$regex":1}}"#, "$regex has to be a string"),
        (
            r#"{"a":{"$regex":"__REGEXP /x/i","$options":"m"}}"#,
            "options set in both",
        ),
        (r#"{"a":{"$regex":"(?=x)"}}"#, "look-around"),
        (r#"{"a":{"$size":-1}}"#, "$size"),
        (r#"{"a":{"$size":1.5}}"#, "$size"),
        (
            r#"{"a":{"$type":"strin"}}"#,
            "Unknown type name alias: strin",
        ),
        (r#"{"a":{"$type":99}}"#, "Invalid numerical type code"),
        (r#"{"a":{"$type":[]}}"#, "at least one type"),
        (r#"{"a":{"$mod":[0,1]}}"#, "divisor cannot be 0"),
        (r#"{"a":{"$mod":[1]}}"#, "not enough elements"),
        (r#"{"a":{"$mod":[1,2,3]}}"#, "too many elements"),
        (r#"{"a":{"$mod":["1",2]}}"#, "need to be numbers"),
        (r#"{"a":{"$bitsAllSet":-1}}"#, "$bitsAllSet takes"),
        (
            r#"{"a":{"$bitsAllSet":[-1]}}"#,
            "bit position in $bitsAllSet",
        ),
    ] {
        let error = refused(text);
        assert_eq!(error.code, Code::Invalid, "{text}");
        assert!(error.context.contains(reason), "{text}: {}", error.context);
    }
}

#[test]
fn what_runs_code_or_reaches_elsewhere_is_refused() {
    for name in [
        "$where",
        "$function",
        "$accumulator",
        "$expr",
        "$text",
        "$jsonSchema",
    ] {
        for text in [
            format!(r#"{{"{name}":"x"}}"#),
            format!(r#"{{"a":{{"{name}":"x"}}}}"#),
            format!(r#"{{"$or":[{{"a":1}},{{"{name}":{{}}}}]}}"#),
            format!(r#"{{"a":{{"$elemMatch":{{"{name}":"x"}}}}}}"#),
            format!(r#"{{"a":{{"$not":{{"{name}":"x"}}}}}}"#),
        ] {
            let error = refused(&text);
            assert_eq!(error.code, Code::Unimplemented, "{text}");
            assert!(
                error
                    .context
                    .starts_with(&format!("{name} is not allowed in a query: ")),
                "{}",
                error.context
            );
        }
    }
}

#[test]
fn bounds_hold() {
    let values = "0,".repeat(limits::FILTER_NODES_MAX);
    assert!(
        refused(&format!(r#"{{"a":{{"$in":[{values}0]}}}}"#))
            .context
            .contains("100000 conditions")
    );
    let mut nested = rawdoc! { "a": 1 };
    for _ in 0..limits::NESTING_MAX {
        nested = rawdoc! { "$nor": [nested] };
    }
    assert!(
        Filter::parse(&nested)
            .unwrap_err()
            .context
            .contains("100 levels")
    );
    assert!(
        refused(r#"{"0.0.0.0.0.0.0.0.0.0":1}"#)
            .context
            .contains("array positions")
    );
    assert_eq!(
        refused(r#"{"a":{"$regex":"(\\w{100}){100}"}}"#).code,
        Code::TooLarge
    );
}
