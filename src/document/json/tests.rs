use bson::{
    Binary, DateTime, RawBson, RawDocumentBuf, Regex, Timestamp, rawdoc, spec::BinarySubtype,
};
use proptest::prelude::*;

use super::*;
use crate::error::Code;
use crate::limits;

fn text_of(document: &RawDocumentBuf) -> String {
    let mut out = Vec::new();
    write_document(document, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn regex(pattern: &str, options: &str) -> RawBson {
    RawBson::RegularExpression(Regex {
        pattern: pattern.try_into().unwrap(),
        options: options.try_into().unwrap(),
    })
}

#[test]
fn key_order_is_kept_and_numbers_take_the_smallest_type() {
    let parsed = parse_document(
        r#"{"z":1,"a":-2147483649,"m":1.0,"b":18446744073709551615,"n":null,"t":[true,"x",{}]}"#,
        "item",
    );
    let wanted = rawdoc! {
        "z": 1, "a": -2_147_483_649_i64, "m": 1.0, "b": 18_446_744_073_709_551_615.0_f64,
        "n": null, "t": [true, "x", {}],
    };
    assert_eq!(parsed.unwrap(), wanted);
}

#[test]
fn stored_documents_have_their_conventions() {
    let parsed = parse_document(
        r#"{"when":"1970-01-01T00:00:00.001Z","old":"/Date(2)/","a.b":{"c.d":1},"$$hashKey":{"x":[1]},
            "$keep":1,"no":"1970-01-01T00:00:00Z","buffer":{"type":"Buffer","data":[1]},"re":"__REGEXP /a/"}"#,
        "item",
    );
    let wanted = rawdoc! {
        "when": DateTime::from_millis(1), "old": DateTime::from_millis(2), "a____b": { "c____d": 1 },
        "$keep": 1, "no": "1970-01-01T00:00:00Z", "buffer": { "type": "Buffer", "data": [1] }, "re": "__REGEXP /a/",
    };
    assert_eq!(parsed.unwrap(), wanted);
}

#[test]
fn queries_have_theirs() {
    let parsed = parse_query(
        r#"{"a.b":"__REGEXP /x\\/y/gi","t":{"$gte":"1970-01-01T01:00:00.0000+01:00"},"$$x":1,
            "zoneless":"1970-01-01T00:00:00.000","date":"/Date(2)/","odd":"__REGEXP a/i","r":{"$regex":"a","$options":"i"}}"#,
        "query",
    );
    let wanted = rawdoc! {
        "a.b": regex(r"x\/y", "i"), "t": { "$gte": DateTime::from_millis(0) }, "$$x": 1,
        "zoneless": "1970-01-01T00:00:00.000", "date": "/Date(2)/", "odd": "__REGEXP a/i",
        "r": { "$regex": "a", "$options": "i" },
    };
    assert_eq!(parsed.unwrap(), wanted);
}

#[test]
fn of_repeated_names_the_last_counts() {
    let parse = |text| parse_document(text, "item").unwrap();
    assert_eq!(
        parse(r#"{"a":1,"b":2,"a":{"x":1,"x":2}}"#),
        rawdoc! { "b": 2, "a": { "x": 2 } }
    );
    assert_eq!(parse(r#"{"a.b":1,"a____b":2}"#), rawdoc! { "a____b": 2 });
    assert_eq!(
        parse(r#"{"l":[{"a":1,"a":2},{"a":1}],"z":0}"#),
        rawdoc! { "l": [{ "a": 2 }, { "a": 1 }], "z": 0 }
    );
    let many: String = (0..40).map(|n| format!("\"k{}\":{n},", n % 20)).collect();
    let parsed = parse(&format!("{{{}\"end\":1}}", many));
    assert_eq!(parsed.iter().count(), 21);
    assert_eq!(parsed.get_i32("k3").unwrap(), 23);
}

#[test]
fn bad_text_is_refused_with_field_and_reason() {
    for (text, reason) in [
        ("", "EOF"),
        ("null", "expected a JSON object"),
        ("[]", "expected a JSON object"),
        ("{", "EOF"),
        ("{} {}", "trailing characters"),
        ("{'a':1}", "key must be a string"),
        ("{\"a\":1e999}", "out of range"),
        ("{\"a\\u0000b\":1}", "NUL character"),
        ("{\"a\":\"\\ud800\"}", "hex escape"),
    ] {
        let error = parse_document(text, "item").unwrap_err();
        assert_eq!(error.code, Code::Invalid, "{text}");
        assert!(
            error.context.starts_with("Invalid JSON in item: "),
            "{}",
            error.context
        );
        assert!(error.context.contains(reason), "{text}: {}", error.context);
    }
}

#[test]
fn nesting_is_bounded_at_any_depth() {
    let nest = |depth: usize| {
        format!(
            "{{\"a\":{}1{}}}",
            "[".repeat(depth - 1),
            "]".repeat(depth - 1)
        )
    };
    parse_document(&nest(limits::NESTING_MAX), "item").unwrap();
    for depth in [limits::NESTING_MAX + 1, 1_000, 100_000] {
        let error = parse_document(&nest(depth), "item").unwrap_err();
        assert_eq!(error.code, Code::Invalid);
        assert!(
            error.context.contains("nested deeper than 100 levels"),
            "{}",
            error.context
        );
    }
    for text in [
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
        format!("{{\"$$x\":{}", "[".repeat(100_000)),
    ] {
        assert!(parse_document(&text, "item").is_err());
        assert!(parse_query(&text, "query").is_err());
        assert!(parse_documents(&text, "items").is_err());
    }
}

#[test]
fn size_is_bounded() {
    for text in [
        format!("{{\"a\":\"{}\"}}", "x".repeat(limits::DOCUMENT_BYTES_MAX)),
        format!(
            "{{\"a\":[{}0]}}",
            "0,".repeat(limits::DOCUMENT_BYTES_MAX / 10)
        ),
    ] {
        let error = parse_document(&text, "item").unwrap_err();
        assert_eq!(error.code, Code::TooLarge);
        assert!(
            error.context.starts_with("item takes "),
            "{}",
            error.context
        );
        assert!(error.context.contains("16777216"), "{}", error.context);
    }
}

#[test]
fn arrays_of_documents() {
    assert_eq!(
        parse_documents(r#"[{"a":1},{}]"#, "items").unwrap(),
        [rawdoc! { "a": 1 }, rawdoc! {}]
    );
    assert!(parse_documents("[]", "items").unwrap().is_empty());
    assert_eq!(
        parse_documents("[{},null]", "items").unwrap_err().context,
        "Cannot create null item"
    );
    for text in ["{}", "[1]", "", "[{}"] {
        let error = parse_documents(text, "items").unwrap_err();
        assert!(
            error.context.starts_with("Invalid JSON in items: "),
            "{text}: {}",
            error.context
        );
    }
    assert_eq!(
        parse_pipeline(r#"[{"$match":{"a.b":1}}]"#, "aggregates").unwrap(),
        [rawdoc! { "$match": { "a.b": 1 } }]
    );
}

#[test]
fn absent_documents_are_told_apart() {
    assert_eq!(parse_optional(" ", "item").unwrap(), None);
    assert_eq!(parse_optional("null", "item").unwrap(), None);
    assert_eq!(parse_optional("{}", "item").unwrap(), Some(rawdoc! {}));
    assert!(parse_optional("[]", "item").is_err());
}

#[test]
fn values_are_written_as_clients_read_them() {
    let document = rawdoc! {
        "a____b": 1,
        "d": DateTime::from_millis(1_700_000_000_123),
        "far": DateTime::from_millis(i64::MAX),
        "id": bson::oid::ObjectId::parse_str("5f0000000000000000000abc").unwrap(),
        "bin": Binary { subtype: BinarySubtype::Generic, bytes: vec![0, 10, 255] },
        "re": regex("a\"b", "i"),
        "ts": Timestamp { time: 1, increment: 2 },
        "long": i64::MIN,
        "dec": "1.50".parse::<bson::Decimal128>().unwrap(),
        "list": [null, true, false, "é\u{1}\n\"\\/"],
    };
    assert_eq!(
        text_of(&document),
        concat!(
            r#"{"a.b":1,"d":"2023-11-14T22:13:20.123Z","far":null,"id":"5f0000000000000000000abc","#,
            r#""bin":{"type":"Buffer","data":[0,10,255]},"re":"/a\"b/i","ts":"4294967298","#,
            r#""long":-9223372036854775808,"dec":"1.50","list":[null,true,false,"é\u0001\n\"\\/"]}"#
        )
    );
}

#[test]
fn doubles_are_written_as_javascript_does() {
    for (value, text) in [
        (1.0, "1"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (-1.5, "-1.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.25e300, "1.25e+300"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (5e-324, "5e-324"),
        (f64::NAN, "null"),
        (f64::NEG_INFINITY, "null"),
        (9_007_199_254_740_993.0, "9007199254740992"),
    ] {
        let mut out = Vec::new();
        write_value(RawBson::Double(value).as_raw_bson_ref(), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}

#[test]
fn damaged_bytes_are_an_error_not_a_panic() {
    // An int32 field whose value is missing.
    let document = RawDocumentBuf::from_bytes(vec![8, 0, 0, 0, 0x10, b'a', 0, 0]).unwrap();
    assert_eq!(
        write_document(&document, &mut Vec::new()).unwrap_err().code,
        Code::Corrupt
    );
}

#[test]
fn documents_are_written_as_an_array() {
    let mut out = Vec::new();
    write_documents(&[rawdoc! { "a": 1 }, rawdoc! {}], &mut out).unwrap();
    write_documents(&[], &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), r#"[{"a":1},{}][]"#);
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        proptest::num::f64::NORMAL
            .prop_filter("whole numbers lose their point", |f| f.fract() != 0.0)
            .prop_map(Into::into),
        "\\PC*".prop_map(Into::into),
        any::<String>().prop_map(Into::into),
        (0..4_000_000_000_000_i64).prop_map(|ms| {
            let mut out = Vec::new();
            timestamp::write(&mut out, ms);
            String::from_utf8(out).unwrap().into()
        }),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::vec(("[a-z.$é]{0,6}", inner), 0..20).prop_map(|fields| {
                serde_json::Value::Object(
                    fields
                        .into_iter()
                        .filter(|(k, _)| !k.starts_with("$$"))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn json_survives_the_round_trip(value in json()) {
        let text = serde_json::json!({ "v": value }).to_string();
        let written = text_of(&parse_document(&text, "item").unwrap());
        let (before, after): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(&text).unwrap(), serde_json::from_str(&written).unwrap());
        prop_assert_eq!(before, after);
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC{0,64}") {
        let _ = parse_document(&text, "item");
        let _ = parse_query(&text, "query");
        let _ = parse_documents(&text, "items");
    }

    #[test]
    fn any_string_is_written_as_the_parser_reads_it(text in any::<String>()) {
        let mut out = Vec::new();
        write_value(RawBson::String(text.clone()).as_raw_bson_ref(), &mut out).unwrap();
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }
}
