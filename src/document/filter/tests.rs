//! MongoDB's documented behaviour, operator by operator.

use bson::{Binary, Bson, RawDocumentBuf, oid::ObjectId, rawdoc, spec::BinarySubtype};

use super::Filter;
use crate::document::json::{parse_document, parse_query};
use crate::error::{Code, Error};
use crate::limits;

fn filter(text: &str) -> Filter {
    Filter::parse(&parse_query(text, "query").unwrap())
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> Error {
    Filter::parse(&parse_query(text, "query").unwrap()).unwrap_err()
}

/// Each filter with documents it matches and documents it does not.
fn check(table: &[(&str, &[&str], &[&str])]) {
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

#[test]
fn equality() {
    check(&[
        ("{}", &["{}", r#"{"a":1}"#], &[]),
        (
            r#"{"a":1}"#,
            &[r#"{"a":1}"#, r#"{"a":1.0}"#, r#"{"a":[3,1]}"#],
            &["{}", r#"{"a":"1"}"#, r#"{"a":[[1]]}"#],
        ),
        (
            r#"{"a":"x"}"#,
            &[r#"{"a":"x"}"#],
            &[r#"{"a":"X"}"#, r#"{"a":null}"#],
        ),
        (r#"{"a":{"$eq":true}}"#, &[r#"{"a":true}"#], &[r#"{"a":1}"#]),
        (
            r#"{"a":[1,2]}"#,
            &[r#"{"a":[1,2]}"#, r#"{"a":[[1,2],3]}"#],
            &[r#"{"a":[2,1]}"#, r#"{"a":[1,2,3]}"#, r#"{"a":1}"#],
        ),
        (
            r#"{"a":{"b":1,"c":2}}"#,
            &[r#"{"a":{"b":1,"c":2}}"#, r#"{"a":[{"b":1.0,"c":2}]}"#],
            &[
                r#"{"a":{"c":2,"b":1}}"#,
                r#"{"a":{"b":1}}"#,
                r#"{"a":{"b":1,"c":2,"d":3}}"#,
            ],
        ),
        (r#"{"a":{}}"#, &[r#"{"a":{}}"#], &["{}", r#"{"a":{"b":1}}"#]),
        (
            r#"{"a":[]}"#,
            &[r#"{"a":[]}"#, r#"{"a":[[]]}"#],
            &[r#"{"a":[1]}"#, "{}"],
        ),
        (
            r#"{"a":9007199254740993}"#,
            &[r#"{"a":9007199254740993}"#],
            &[r#"{"a":9007199254740992}"#],
        ),
        (r#"{"a":1,"b":2}"#, &[r#"{"b":2,"a":1}"#], &[r#"{"a":1}"#]),
        (
            r#"{"a":{"$ref":"x","$id":1}}"#,
            &[r#"{"a":{"$ref":"x","$id":1}}"#],
            &["{}"],
        ),
    ]);
}

#[test]
fn null_matches_missing_too() {
    check(&[
        (
            r#"{"a":null}"#,
            &["{}", r#"{"a":null}"#, r#"{"a":[1,null]}"#],
            &[r#"{"a":0}"#, r#"{"a":[]}"#, r#"{"a":{}}"#, r#"{"a":[[]]}"#],
        ),
        (
            r#"{"a.b":null}"#,
            &[
                "{}",
                r#"{"a":4}"#,
                r#"{"a":null}"#,
                r#"{"a":{}}"#,
                r#"{"a":[{"b":3},{}]}"#,
                r#"{"a":[{"b":null}]}"#,
            ],
            &[
                r#"{"a":{"b":1}}"#,
                r#"{"a":[]}"#,
                r#"{"a":[[]]}"#,
                r#"{"a":[1,null]}"#,
                r#"{"a":[{"b":1},{"b":3}]}"#,
            ],
        ),
        (
            r#"{"a":{"$ne":null}}"#,
            &[r#"{"a":[]}"#, r#"{"a":4}"#],
            &["{}", r#"{"a":null}"#, r#"{"a":[null]}"#],
        ),
        (
            r#"{"a":{"$gte":null}}"#,
            &["{}", r#"{"a":null}"#],
            &[r#"{"a":1}"#],
        ),
        (
            r#"{"a":{"$lte":null}}"#,
            &["{}", r#"{"a":null}"#],
            &[r#"{"a":1}"#],
        ),
        (
            r#"{"a":{"$gt":null}}"#,
            &[],
            &["{}", r#"{"a":null}"#, r#"{"a":1}"#],
        ),
        (
            r#"{"a":{"$not":{"$gte":null}}}"#,
            &[r#"{"a":4}"#, r#"{"a":[]}"#],
            &["{}", r#"{"a":null}"#],
        ),
        (
            r#"{"a":{"$in":[null,4]}}"#,
            &["{}", r#"{"a":4}"#, r#"{"a":[null]}"#],
            &[r#"{"a":5}"#],
        ),
        (
            r#"{"a":{"$nin":[null,4]}}"#,
            &[r#"{"a":{}}"#],
            &["{}", r#"{"a":4}"#, r#"{"a":null}"#],
        ),
    ]);
}

#[test]
fn comparisons_stay_within_a_type() {
    check(&[
        (
            r#"{"a":{"$gt":5}}"#,
            &[r#"{"a":6}"#, r#"{"a":5.5}"#, r#"{"a":[1,6]}"#],
            &[r#"{"a":5}"#, r#"{"a":"6"}"#, "{}", r#"{"a":[[6]]}"#],
        ),
        (
            r#"{"a":{"$gte":5}}"#,
            &[r#"{"a":5.0}"#],
            &[r#"{"a":4}"#, r#"{"a":true}"#],
        ),
        (
            r#"{"a":{"$lt":5}}"#,
            &[r#"{"a":-1}"#],
            &[r#"{"a":5}"#, r#"{"a":null}"#, "{}"],
        ),
        (
            r#"{"a":{"$lte":"b"}}"#,
            &[r#"{"a":"a"}"#, r#"{"a":"b"}"#],
            &[r#"{"a":"c"}"#, r#"{"a":1}"#],
        ),
        (
            r#"{"a":{"$gt":false}}"#,
            &[r#"{"a":true}"#],
            &[r#"{"a":false}"#, r#"{"a":1}"#],
        ),
        (
            r#"{"a":{"$gt":[1]}}"#,
            &[r#"{"a":[2]}"#, r#"{"a":[1,0]}"#, r#"{"a":[[2]]}"#],
            &[r#"{"a":[1]}"#, r#"{"a":2}"#],
        ),
        (
            r#"{"a":{"$gt":{"b":1}}}"#,
            &[r#"{"a":{"b":2}}"#, r#"{"a":{"b":1,"c":0}}"#],
            &[r#"{"a":{"b":1}}"#, r#"{"a":2}"#],
        ),
        (
            r#"{"a":{"$gt":1,"$lt":3}}"#,
            &[r#"{"a":2}"#, r#"{"a":[0,9]}"#],
            &[r#"{"a":3}"#],
        ),
        (
            r#"{"t":{"$gte":"2024-01-01T00:00:00.000Z"}}"#,
            &[
                r#"{"t":"2024-01-01T00:00:00.000Z"}"#,
                r#"{"t":"2025-01-01T00:00:00.000+02:00"}"#,
            ],
            &[r#"{"t":"2023-12-31T23:59:59.999Z"}"#, r#"{"t":"2025"}"#],
        ),
    ]);
    let at_least_nan = Filter::parse(&rawdoc! { "a": { "$gte": f64::NAN } }).unwrap();
    assert!(at_least_nan.matches(&rawdoc! { "a": f64::NAN }));
    assert!(!at_least_nan.matches(&rawdoc! { "a": 1 }));
    assert!(!filter(r#"{"a":{"$lt":5}}"#).matches(&rawdoc! { "a": f64::NAN }));
}

#[test]
fn ne_in_and_nin() {
    check(&[
        (
            r#"{"a":{"$ne":1}}"#,
            &["{}", r#"{"a":2}"#, r#"{"a":"1"}"#],
            &[r#"{"a":1}"#, r#"{"a":[2,1]}"#],
        ),
        (
            r#"{"a":{"$in":[1,"x",[2]]}}"#,
            &[r#"{"a":1.0}"#, r#"{"a":["y","x"]}"#, r#"{"a":[2]}"#],
            &[r#"{"a":2}"#, "{}"],
        ),
        (
            r#"{"a":{"$in":[]}}"#,
            &[],
            &["{}", r#"{"a":1}"#, r#"{"a":[]}"#],
        ),
        (r#"{"a":{"$nin":[]}}"#, &["{}", r#"{"a":1}"#], &[]),
        (
            r#"{"a":{"$nin":[1,2]}}"#,
            &["{}", r#"{"a":3}"#],
            &[r#"{"a":2}"#, r#"{"a":[3,1]}"#],
        ),
        (
            r#"{"a":{"$in":["__REGEXP /^x/i",3]}}"#,
            &[r#"{"a":"Xy"}"#, r#"{"a":3}"#],
            &[r#"{"a":"yx"}"#],
        ),
        (
            r#"{"a":{"$nin":["__REGEXP /^x/"]}}"#,
            &["{}", r#"{"a":"y"}"#],
            &[r#"{"a":"xy"}"#],
        ),
    ]);
}

#[test]
fn logic() {
    check(&[
        (
            r#"{"$and":[{"a":1},{"b":2}]}"#,
            &[r#"{"a":1,"b":2}"#],
            &[r#"{"a":1}"#],
        ),
        (
            r#"{"$or":[{"a":1},{"b":2}]}"#,
            &[r#"{"a":1}"#, r#"{"b":2}"#],
            &["{}"],
        ),
        (
            r#"{"$nor":[{"a":1},{"b":2}]}"#,
            &["{}"],
            &[r#"{"a":1}"#, r#"{"b":2}"#],
        ),
        (
            r#"{"_id":"x","$or":[{"a":1},{"a":2}]}"#,
            &[r#"{"_id":"x","a":2}"#],
            &[r#"{"_id":"x"}"#, r#"{"a":1}"#],
        ),
        (
            r#"{"a":{"$not":{"$gt":5}}}"#,
            &["{}", r#"{"a":5}"#, r#"{"a":"x"}"#],
            &[r#"{"a":6}"#, r#"{"a":[1,6]}"#],
        ),
        (
            r#"{"a":{"$not":{"$gt":1,"$lt":5}}}"#,
            &[r#"{"a":0}"#, r#"{"a":5}"#],
            &[r#"{"a":3}"#],
        ),
        (
            r#"{"a":{"$not":"__REGEXP /x/"}}"#,
            &["{}", r#"{"a":1}"#],
            &[r#"{"a":"xx"}"#],
        ),
        (
            r#"{"a":{"$not":{"$regex":"x"}}}"#,
            &[r#"{"a":"y"}"#],
            &[r#"{"a":"x"}"#],
        ),
        (r#"{"a":1,"$comment":"why"}"#, &[r#"{"a":1}"#], &["{}"]),
    ]);
}

#[test]
fn exists_type_and_size() {
    check(&[
        (
            r#"{"a":{"$exists":true}}"#,
            &[r#"{"a":null}"#, r#"{"a":[]}"#],
            &["{}"],
        ),
        (r#"{"a":{"$exists":0}}"#, &["{}"], &[r#"{"a":null}"#]),
        (
            r#"{"a.b":{"$exists":true}}"#,
            &[r#"{"a":[{},{"b":1}]}"#],
            &[r#"{"a":[{}]}"#, r#"{"a":1}"#],
        ),
        (
            r#"{"a.b":{"$exists":false}}"#,
            &[r#"{"a":[]}"#, r#"{"a":1}"#],
            &[r#"{"a":[{},{"b":1}]}"#],
        ),
        (
            r#"{"a.1":{"$exists":true}}"#,
            &[r#"{"a":[0,1]}"#],
            &[r#"{"a":[0]}"#],
        ),
        (
            r#"{"a":{"$type":"string"}}"#,
            &[r#"{"a":"x"}"#, r#"{"a":[1,"x"]}"#],
            &[r#"{"a":1}"#, "{}"],
        ),
        (
            r#"{"a":{"$type":"number"}}"#,
            &[r#"{"a":1}"#, r#"{"a":1.5}"#, r#"{"a":5000000000}"#],
            &[r#"{"a":"1"}"#],
        ),
        (
            r#"{"a":{"$type":["null",8]}}"#,
            &[r#"{"a":null}"#, r#"{"a":true}"#],
            &["{}", r#"{"a":0}"#],
        ),
        (
            r#"{"a":{"$type":"array"}}"#,
            &[r#"{"a":[]}"#, r#"{"a":[[]]}"#],
            &[r#"{"a":{}}"#],
        ),
        (r#"{"a":{"$type":3}}"#, &[r#"{"a":{}}"#], &[r#"{"a":[1]}"#]),
        (
            r#"{"a":{"$size":2}}"#,
            &[r#"{"a":[1,[2]]}"#],
            &[r#"{"a":[1]}"#, r#"{"a":[[1,2]]}"#, r#"{"a":2}"#],
        ),
        (r#"{"a":{"$size":0}}"#, &[r#"{"a":[]}"#], &["{}"]),
    ]);
}

#[test]
fn regular_expressions() {
    check(&[
        (
            r#"{"a":{"$regex":"^ab"}}"#,
            &[r#"{"a":"abc"}"#, r#"{"a":["x","ab"]}"#],
            &[r#"{"a":"xab"}"#, r#"{"a":1}"#, "{}"],
        ),
        (
            r#"{"a":{"$regex":"AB","$options":"i"}}"#,
            &[r#"{"a":"xabx"}"#],
            &[r#"{"a":"ba"}"#],
        ),
        (
            r#"{"a":{"$options":"i","$regex":"AB"}}"#,
            &[r#"{"a":"ab"}"#],
            &[],
        ),
        (
            r#"{"a":"__REGEXP /^ab$/i"}"#,
            &[r#"{"a":"AB"}"#],
            &[r#"{"a":"abc"}"#],
        ),
        (
            r#"{"a":{"$regex":"b","$ne":"ab"}}"#,
            &[r#"{"a":"bb"}"#],
            &[r#"{"a":"ab"}"#],
        ),
        (
            r#"{"a":{"$regex":"__REGEXP /x/","$options":"i"}}"#,
            &[r#"{"a":"X"}"#],
            &[],
        ),
    ]);
}

#[test]
fn all_and_elem_match() {
    check(&[
        (
            r#"{"a":{"$all":[1,2]}}"#,
            &[r#"{"a":[2,3,1]}"#],
            &[r#"{"a":[1]}"#, "{}"],
        ),
        (r#"{"a":{"$all":[1]}}"#, &[r#"{"a":1}"#], &[r#"{"a":2}"#]),
        (
            r#"{"a":{"$all":[[1,2]]}}"#,
            &[r#"{"a":[1,2]}"#, r#"{"a":[[1,2]]}"#],
            &[r#"{"a":[2,1]}"#],
        ),
        (r#"{"a":{"$all":[]}}"#, &[], &["{}", r#"{"a":[]}"#]),
        (
            r#"{"a":{"$all":["__REGEXP /^x/","yz"]}}"#,
            &[r#"{"a":["xx","yz"]}"#],
            &[r#"{"a":["yz"]}"#],
        ),
        (
            r#"{"a.b":{"$all":[1,2]}}"#,
            &[r#"{"a":[{"b":1},{"b":2}]}"#],
            &[r#"{"a":[{"b":1}]}"#],
        ),
        (
            r#"{"a":{"$all":[{"$elemMatch":{"b":1}},{"$elemMatch":{"c":2}}]}}"#,
            &[r#"{"a":[{"b":1},{"c":2}]}"#],
            &[r#"{"a":[{"b":1}]}"#],
        ),
        (
            r#"{"a":{"$elemMatch":{"b":1,"c":{"$gt":1}}}}"#,
            &[r#"{"a":[{"b":1,"c":2}]}"#, r#"{"a":[{"b":[1],"c":2}]}"#],
            &[r#"{"a":[{"b":1},{"c":2}]}"#, r#"{"a":{"b":1,"c":2}}"#, "{}"],
        ),
        (
            r#"{"a":{"$elemMatch":{"$gt":1,"$lt":5}}}"#,
            &[r#"{"a":[0,3]}"#],
            &[r#"{"a":[0,9]}"#, r#"{"a":3}"#, r#"{"a":[[3]]}"#],
        ),
        (
            r#"{"a":{"$elemMatch":{"$ne":1}}}"#,
            &[r#"{"a":[1,2]}"#],
            &[r#"{"a":[1]}"#, "{}"],
        ),
        (
            r#"{"a":{"$elemMatch":{"$not":{"$gt":1}}}}"#,
            &[r#"{"a":[0]}"#],
            &[r#"{"a":[2]}"#],
        ),
        (
            r#"{"a":{"$elemMatch":{"$in":[1,2]}}}"#,
            &[r#"{"a":[2]}"#],
            &[r#"{"a":2}"#],
        ),
        (
            r#"{"a":{"$elemMatch":{"$or":[{"b":1},{"c":1}]}}}"#,
            &[r#"{"a":[{"c":1}]}"#],
            &[r#"{"a":[{"b":2}]}"#],
        ),
        (
            r#"{"a":{"$elemMatch":{"$elemMatch":{"$gt":1}}}}"#,
            &[r#"{"a":[[2]]}"#],
            &[r#"{"a":[2]}"#],
        ),
        (
            r#"{"a":{"$elemMatch":{"0":1}}}"#,
            &[r#"{"a":[[1]]}"#],
            &[r#"{"a":[1]}"#],
        ),
        (
            r#"{"a.b":{"$elemMatch":{"$eq":1}}}"#,
            &[r#"{"a":[{"b":[1]}]}"#],
            &[r#"{"a":[{"b":1}]}"#],
        ),
        (
            r#"{"a":{"$elemMatch":{}}}"#,
            &[r#"{"a":[{"b":1}]}"#],
            &[r#"{"a":[1]}"#, r#"{"a":[]}"#],
        ),
        (
            r#"{"a":{"$not":{"$elemMatch":{"b":1}}}}"#,
            &["{}", r#"{"a":[]}"#],
            &[r#"{"a":[{"b":1}]}"#],
        ),
    ]);
}

#[test]
fn mod_and_bits() {
    check(&[
        (
            r#"{"a":{"$mod":[4,1]}}"#,
            &[r#"{"a":5}"#, r#"{"a":5.9}"#, r#"{"a":[0,1]}"#],
            &[r#"{"a":4}"#, r#"{"a":"5"}"#, "{}"],
        ),
        (
            r#"{"a":{"$mod":[-1,0]}}"#,
            &[r#"{"a":-9223372036854775808}"#],
            &[],
        ),
        (
            r#"{"a":{"$mod":[3,-2]}}"#,
            &[r#"{"a":-5}"#],
            &[r#"{"a":5}"#],
        ),
        (
            r#"{"a":{"$bitsAllSet":[1,5]}}"#,
            &[r#"{"a":54}"#, r#"{"a":-1}"#, r#"{"a":34.0}"#],
            &[r#"{"a":2}"#, r#"{"a":34.5}"#, "{}"],
        ),
        (
            r#"{"a":{"$bitsAllSet":50}}"#,
            &[r#"{"a":54}"#],
            &[r#"{"a":4}"#, r#"{"a":"54"}"#],
        ),
        (
            r#"{"a":{"$bitsAnySet":6}}"#,
            &[r#"{"a":2}"#],
            &[r#"{"a":1}"#],
        ),
        (
            r#"{"a":{"$bitsAllClear":[1,5]}}"#,
            &[r#"{"a":4}"#],
            &[r#"{"a":2}"#, r#"{"a":-1}"#],
        ),
        (
            r#"{"a":{"$bitsAnyClear":[1,200]}}"#,
            &[r#"{"a":2}"#, r#"{"a":-3}"#],
            &[r#"{"a":-1}"#],
        ),
        (r#"{"a":{"$bitsAllSet":[]}}"#, &[r#"{"a":0}"#], &[]),
    ]);
    let binary = |bytes: Vec<u8>| Binary {
        subtype: BinarySubtype::Generic,
        bytes,
    };
    let document = rawdoc! { "a": binary(vec![0, 0x81]) };
    assert!(filter(r#"{"a":{"$bitsAllSet":[8,15]}}"#).matches(&document));
    assert!(filter(r#"{"a":{"$bitsAllClear":[0,9,10000]}}"#).matches(&document));
    assert!(
        Filter::parse(&rawdoc! { "a": { "$bitsAllSet": binary(vec![0, 1]) } })
            .unwrap()
            .matches(&rawdoc! { "a": 256 })
    );
}

#[test]
fn dotted_paths() {
    check(&[
        (
            r#"{"a.b.c":1}"#,
            &[r#"{"a":{"b":{"c":1}}}"#, r#"{"a":[{"b":[{"c":1}]}]}"#],
            &[r#"{"a":{"b":1}}"#],
        ),
        (
            r#"{"a.0":1}"#,
            &[r#"{"a":[1,2]}"#, r#"{"a":{"0":1}}"#, r#"{"a":[{"0":1}]}"#],
            &[r#"{"a":[2,1]}"#, r#"{"a":[[1]]}"#],
        ),
        (
            r#"{"a.0.b":1}"#,
            &[r#"{"a":[{"b":1}]}"#, r#"{"a":[[{"b":1}]]}"#],
            &[r#"{"a":[{"b":2},{"b":1}]}"#],
        ),
        (
            r#"{"a.b":{"$gt":1,"$lt":3}}"#,
            &[r#"{"a":[{"b":0},{"b":9}]}"#],
            &[r#"{"a":{"b":9}}"#],
        ),
    ]);
}

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
