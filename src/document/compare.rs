//! MongoDB's total order over values of all types.

use std::cmp::Ordering;

use bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf};
use bson::spec::BinarySubtype;

use super::number::Number;
use super::raw;
use crate::limits;

/// Where a type stands among the others; types with one rank compare by value.
pub fn rank(value: RawBsonRef<'_>) -> u8 {
    match value {
        RawBsonRef::MinKey => 0,
        RawBsonRef::Undefined => 1,
        RawBsonRef::Null => 5,
        RawBsonRef::Int32(_)
        | RawBsonRef::Int64(_)
        | RawBsonRef::Double(_)
        | RawBsonRef::Decimal128(_) => 10,
        RawBsonRef::String(_) | RawBsonRef::Symbol(_) => 15,
        RawBsonRef::Document(_) => 20,
        RawBsonRef::Array(_) => 25,
        RawBsonRef::Binary(_) => 30,
        RawBsonRef::ObjectId(_) => 35,
        RawBsonRef::Boolean(_) => 40,
        RawBsonRef::DateTime(_) => 45,
        RawBsonRef::Timestamp(_) => 47,
        RawBsonRef::RegularExpression(_) => 50,
        RawBsonRef::DbPointer(_) => 55,
        RawBsonRef::JavaScriptCode(_) => 60,
        RawBsonRef::JavaScriptCodeWithScope(_) => 65,
        RawBsonRef::MaxKey => 127,
    }
}

/// Compares any two values: first by type, then by value.
pub fn compare(a: RawBsonRef<'_>, b: RawBsonRef<'_>) -> Ordering {
    compare_at(a, b, 0)
}

/// Compares documents field by field: type, then name, then value; of two with a common
/// beginning the shorter is less.
pub fn compare_documents(a: &RawDocument, b: &RawDocument) -> Ordering {
    documents(a, b, 0)
}

fn compare_at(a: RawBsonRef<'_>, b: RawBsonRef<'_>, depth: usize) -> Ordering {
    if let (RawBsonRef::String(a), RawBsonRef::String(b)) = (a, b) {
        return a.cmp(b);
    }
    if let (Some(a), Some(b)) = (Number::of(a), Number::of(b)) {
        return a.compare(b);
    }
    rank(a).cmp(&rank(b)).then_with(|| same_rank(a, b, depth))
}

fn same_rank(a: RawBsonRef<'_>, b: RawBsonRef<'_>, depth: usize) -> Ordering {
    use RawBsonRef as B;
    match (a, b) {
        (B::String(a) | B::Symbol(a), B::String(b) | B::Symbol(b)) => a.cmp(b),
        (B::Document(a), B::Document(b)) => documents(a, b, depth),
        (B::Array(a), B::Array(b)) => documents(raw::as_document(a), raw::as_document(b), depth),
        (B::Binary(a), B::Binary(b)) => {
            let key = |subtype: BinarySubtype| u8::from(subtype);
            a.bytes
                .len()
                .cmp(&b.bytes.len())
                .then_with(|| key(a.subtype).cmp(&key(b.subtype)))
                .then_with(|| a.bytes.cmp(b.bytes))
        }
        (B::ObjectId(a), B::ObjectId(b)) => a.bytes().cmp(&b.bytes()),
        (B::Boolean(a), B::Boolean(b)) => a.cmp(&b),
        (B::DateTime(a), B::DateTime(b)) => a.cmp(&b),
        (B::Timestamp(a), B::Timestamp(b)) => (a.time, a.increment).cmp(&(b.time, b.increment)),
        (B::RegularExpression(a), B::RegularExpression(b)) => {
            (a.pattern, a.options).cmp(&(b.pattern, b.options))
        }
        (B::JavaScriptCode(a), B::JavaScriptCode(b)) => a.cmp(b),
        (B::JavaScriptCodeWithScope(a), B::JavaScriptCodeWithScope(b)) => a
            .code
            .cmp(b.code)
            .then_with(|| documents(a.scope, b.scope, depth)),
        // Deprecated pointers: any fixed order will do, and the library opens nothing of them but their bytes.
        (B::DbPointer(_), B::DbPointer(_)) => bytes_of(a).cmp(&bytes_of(b)),
        _ => Ordering::Equal,
    }
}

fn documents(a: &RawDocument, b: &RawDocument, depth: usize) -> Ordering {
    // Deeper than any document we accept: foreign bytes; an order without recursion.
    if depth > 2 * limits::NESTING_MAX {
        return a.as_bytes().cmp(b.as_bytes());
    }
    let (mut ours, mut theirs) = (a.iter(), b.iter());
    loop {
        let (one, other) = match (ours.next(), theirs.next()) {
            (Some(Ok(one)), Some(Ok(other))) => (one, other),
            (None | Some(Err(_)), None | Some(Err(_))) => return Ordering::Equal,
            (None | Some(Err(_)), _) => return Ordering::Less,
            (_, None | Some(Err(_))) => return Ordering::Greater,
        };
        let order = rank(one.1)
            .cmp(&rank(other.1))
            .then_with(|| one.0.cmp(other.0))
            .then_with(|| compare_at(one.1, other.1, depth + 1));
        if order.is_ne() {
            return order;
        }
    }
}

fn bytes_of(value: RawBsonRef<'_>) -> Vec<u8> {
    let mut one = RawDocumentBuf::new();
    one.append(bson::raw::cstr!("v"), value);
    one.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::spec::BinarySubtype;
    use bson::{
        Binary, DateTime, RawBson, RawRegexRef, Regex, Timestamp, oid::ObjectId, rawbson, rawdoc,
    };

    fn ladder() -> Vec<RawBson> {
        vec![
            RawBson::MinKey,
            RawBson::Undefined,
            RawBson::Null,
            rawbson!(f64::NAN),
            rawbson!(f64::NEG_INFINITY),
            rawbson!(-1),
            rawbson!(0.5),
            rawbson!(1_i64),
            rawbson!(9_007_199_254_740_993_i64),
            rawbson!(f64::INFINITY),
            rawbson!(""),
            rawbson!("B"),
            rawbson!("a"),
            rawbson!("aa"),
            rawbson!({}),
            rawbson!({ "b": 1 }),
            rawbson!({ "b": 1, "c": 0 }),
            rawbson!({ "a": "text" }),
            rawbson!([]),
            rawbson!([1]),
            rawbson!([1, 2]),
            rawbson!([2]),
            RawBson::Binary(Binary {
                subtype: BinarySubtype::Generic,
                bytes: vec![9],
            }),
            RawBson::Binary(Binary {
                subtype: BinarySubtype::Generic,
                bytes: vec![1, 2],
            }),
            RawBson::Binary(Binary {
                subtype: BinarySubtype::Uuid,
                bytes: vec![1, 1],
            }),
            RawBson::ObjectId(ObjectId::from_bytes([1; 12])),
            RawBson::ObjectId(ObjectId::from_bytes([2; 12])),
            rawbson!(false),
            rawbson!(true),
            RawBson::DateTime(DateTime::from_millis(-1)),
            RawBson::DateTime(DateTime::from_millis(1)),
            RawBson::Timestamp(Timestamp {
                time: 1,
                increment: 2,
            }),
            RawBson::Timestamp(Timestamp {
                time: 2,
                increment: 1,
            }),
            RawBson::RegularExpression(Regex {
                pattern: "a".try_into().unwrap(),
                options: "".try_into().unwrap(),
            }),
            RawBson::RegularExpression(Regex {
                pattern: "a".try_into().unwrap(),
                options: "i".try_into().unwrap(),
            }),
            RawBson::JavaScriptCode("x".into()),
            RawBson::MaxKey,
        ]
    }

    #[test]
    fn types_and_values_stand_in_mongodbs_order() {
        let ladder = ladder();
        for (i, a) in ladder.iter().enumerate() {
            for (j, b) in ladder.iter().enumerate() {
                assert_eq!(
                    compare(a.as_raw_bson_ref(), b.as_raw_bson_ref()),
                    i.cmp(&j),
                    "{a:?} against {b:?}"
                );
            }
        }
    }

    #[test]
    fn numbers_and_strings_compare_across_their_types() {
        assert_eq!(
            compare(RawBsonRef::Int32(3), RawBsonRef::Double(3.0)),
            Ordering::Equal
        );
        assert_eq!(
            compare(RawBsonRef::Symbol("a"), RawBsonRef::String("a")),
            Ordering::Equal
        );
        let regex = RawBsonRef::RegularExpression(RawRegexRef {
            pattern: bson::raw::cstr!("a"),
            options: bson::raw::cstr!(""),
        });
        assert_eq!(compare(regex, RawBsonRef::String("a")), Ordering::Greater);
    }

    #[test]
    fn very_deep_documents_compare_without_recursion() {
        let mut bytes: Vec<u8> = vec![5, 0, 0, 0, 0];
        for _ in 0..3_000 {
            let mut outer = ((bytes.len() + 8) as u32).to_le_bytes().to_vec();
            outer.extend([0x03, b'a', 0]);
            outer.extend(&bytes);
            outer.push(0);
            bytes = outer;
        }
        let deep = RawDocumentBuf::from_bytes(bytes).unwrap();
        assert_eq!(compare_documents(&deep, &deep), Ordering::Equal);
        assert_eq!(
            compare_documents(&deep, &rawdoc! { "a": 1 }),
            Ordering::Greater
        );
    }
}
