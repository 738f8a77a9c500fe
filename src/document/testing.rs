//! Arbitrary documents for property tests: few names, so that paths hit.

use bson::raw::{RawArrayBuf, RawBson, RawDocumentBuf};
use bson::{Binary, DateTime, Regex, Timestamp, oid::ObjectId, spec::BinarySubtype};
use proptest::prelude::*;

pub fn value() -> impl Strategy<Value = RawBson> {
    let leaf = prop_oneof![
        (-3..4_i32).prop_map(RawBson::Int32),
        any::<i64>().prop_map(RawBson::Int64),
        (-3..4_i64).prop_map(RawBson::Int64),
        any::<f64>().prop_map(RawBson::Double),
        "[ab]{0,2}".prop_map(RawBson::String),
        any::<bool>().prop_map(RawBson::Boolean),
        Just(RawBson::Null),
        Just(RawBson::Undefined),
        Just(RawBson::MinKey),
        Just(RawBson::MaxKey),
        any::<i64>().prop_map(|ms| RawBson::DateTime(DateTime::from_millis(ms))),
        any::<[u8; 12]>().prop_map(|bytes| RawBson::ObjectId(ObjectId::from_bytes(bytes))),
        any::<[u8; 16]>()
            .prop_map(|bytes| RawBson::Decimal128(bson::Decimal128::from_bytes(bytes))),
        any::<(u32, u32)>()
            .prop_map(|(time, increment)| RawBson::Timestamp(Timestamp { time, increment })),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(|bytes| RawBson::Binary(Binary {
            subtype: BinarySubtype::Generic,
            bytes
        })),
        "[ab.*]{0,3}".prop_map(|pattern| RawBson::RegularExpression(Regex {
            pattern: pattern.try_into().unwrap(),
            options: "i".try_into().unwrap(),
        })),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| {
                let mut array = RawArrayBuf::new();
                items.into_iter().for_each(|item| array.push(item));
                RawBson::Array(array)
            }),
            fields(inner).prop_map(RawBson::Document),
        ]
    })
}

/// Arbitrary documents with fields `a`, `b`, `0`, nested.
pub fn document() -> impl Strategy<Value = RawDocumentBuf> {
    fields(value().boxed())
}

fn fields(inner: impl Strategy<Value = RawBson>) -> impl Strategy<Value = RawDocumentBuf> {
    let names = prop_oneof![
        Just(bson::raw::cstr!("a")),
        Just(bson::raw::cstr!("b")),
        Just(bson::raw::cstr!("0"))
    ];
    prop::collection::vec((names, inner), 0..4).prop_map(|fields| {
        let mut document = RawDocumentBuf::new();
        fields
            .into_iter()
            .for_each(|(name, value)| document.append(name, value));
        document
    })
}
