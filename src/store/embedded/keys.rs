//! Keys of the embedded database: records by number, `_id` to record number.
//!
//! Records of one collection lie together in the order they were inserted, which is the
//! natural order of scans. Integers in keys are big-endian so that LMDB's byte order is theirs.

use bson::raw::{RawBsonRef, RawDocument};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// LMDB's own bound on a key is 511 bytes; longer `_id`s are hashed.
const KEY_BYTES_MAX: usize = 480;
const COLLECTION_BYTES: usize = 4;
const TAG_INTEGER: u8 = 0x12;
const TAG_DOUBLE: u8 = 0x01;
const TAG_HASHED: u8 = 0xFE;

pub fn record_key(collection: u32, record: u64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&collection.to_be_bytes());
    key[4..].copy_from_slice(&record.to_be_bytes());
    key
}

/// The record number in a record key; `None` when the key is not one.
pub fn record_of_key(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(4..12)?.try_into().ok()?))
}

/// A record number as a value of the `_id` index.
pub fn record_of_value(value: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(value.try_into().ok()?))
}

/// Key of the `_id` index: collection, type, value.
///
/// Built on the shard with the collection left open; the ledger fills it in, since only
/// the ledger knows the number of a collection it is about to create.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdKey(Vec<u8>);

impl IdKey {
    /// Errors: `Invalid` when the document has no `_id` or one that cannot be an id.
    pub fn of_document(document: &RawDocument) -> Result<Self> {
        match document.get("_id") {
            Ok(Some(id)) => Self::of_value(id),
            Ok(None) => Err(Error::invalid("The document has no _id.")),
            Err(cause) => Err(Error::invalid("The document is not valid BSON.").because(cause)),
        }
    }

    /// Numbers that MongoDB holds equal (1, 1.0) have the same key.
    ///
    /// Errors: `Invalid` for types that MongoDB refuses as `_id`.
    pub fn of_value(id: RawBsonRef<'_>) -> Result<Self> {
        let mut key = vec![0; COLLECTION_BYTES];
        match id {
            RawBsonRef::Int32(value) => push_integer(&mut key, value.into()),
            RawBsonRef::Int64(value) => push_integer(&mut key, value),
            RawBsonRef::Double(value) => push_double(&mut key, value),
            RawBsonRef::Decimal128(value) => push_decimal(&mut key, &value.to_string()),
            RawBsonRef::Array(_) | RawBsonRef::RegularExpression(_) | RawBsonRef::Undefined => {
                return Err(Error::invalid(
                    "An _id cannot be an array, a regular expression or undefined: use a string or an ObjectId.",
                ));
            }
            other => push_plain(&mut key, other),
        }
        if key.len() > KEY_BYTES_MAX {
            let digest = Sha256::digest(&key[COLLECTION_BYTES..]);
            key.truncate(COLLECTION_BYTES);
            key.push(TAG_HASHED);
            key.extend_from_slice(&digest);
        }
        Ok(Self(key))
    }

    pub fn set_collection(&mut self, collection: u32) {
        self.0[..COLLECTION_BYTES].copy_from_slice(&collection.to_be_bytes());
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

fn push_integer(key: &mut Vec<u8>, value: i64) {
    key.push(TAG_INTEGER);
    key.extend_from_slice(&value.to_be_bytes());
}

fn push_double(key: &mut Vec<u8>, value: f64) {
    // 2^63 itself is outside i64; every whole double below is exact in it.
    let whole = value.fract() == 0.0 && value.abs() < 9_223_372_036_854_775_808.0;
    if whole {
        return push_integer(key, value as i64);
    }
    let value = if value.is_nan() { f64::NAN } else { value };
    key.push(TAG_DOUBLE);
    key.extend_from_slice(&value.to_be_bytes());
}

fn push_decimal(key: &mut Vec<u8>, text: &str) {
    if let Ok(value) = text.parse::<i64>() {
        return push_integer(key, value);
    }
    match text.parse::<f64>() {
        // Only a decimal that a double says exactly shares the double's key.
        Ok(value) if value.to_string() == text || value.is_nan() => push_double(key, value),
        Ok(value) if value.fract() == 0.0 && value.abs() < 1e15 => push_double(key, value),
        _ => {
            key.push(0x13);
            key.extend_from_slice(text.as_bytes());
        }
    }
}

fn push_plain(key: &mut Vec<u8>, value: RawBsonRef<'_>) {
    key.push(value.element_type() as u8);
    match value {
        RawBsonRef::String(text) | RawBsonRef::Symbol(text) | RawBsonRef::JavaScriptCode(text) => {
            key.extend_from_slice(text.as_bytes());
        }
        RawBsonRef::ObjectId(id) => key.extend_from_slice(&id.bytes()),
        RawBsonRef::Document(document) => key.extend_from_slice(document.as_bytes()),
        RawBsonRef::Boolean(value) => key.push(value.into()),
        RawBsonRef::DateTime(at) => key.extend_from_slice(&at.timestamp_millis().to_be_bytes()),
        RawBsonRef::Binary(binary) => {
            key.push(u8::from(binary.subtype));
            key.extend_from_slice(binary.bytes);
        }
        RawBsonRef::Timestamp(at) => {
            key.extend_from_slice(&at.time.to_be_bytes());
            key.extend_from_slice(&at.increment.to_be_bytes());
        }
        // Null and the extremes are their type; the rest are types no client makes ids of.
        RawBsonRef::Null | RawBsonRef::MinKey | RawBsonRef::MaxKey => {}
        other => key.extend_from_slice(format!("{other:?}").as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::{Bson, RawBson, oid::ObjectId};

    fn key(value: impl Into<Bson>) -> IdKey {
        let raw = RawBson::try_from(value.into()).unwrap();
        IdKey::of_value(raw.as_raw_bson_ref()).unwrap()
    }

    #[test]
    fn equal_numbers_share_a_key_and_types_do_not() {
        assert_eq!(key(1i32), key(1i64));
        assert_eq!(key(1i32), key(1.0));
        assert_eq!(key(0.0), key(-0.0));
        assert_eq!(key(1i32), key(Bson::Decimal128("1".parse().unwrap())));
        assert_eq!(key(1.5), key(Bson::Decimal128("1.5".parse().unwrap())));
        assert_ne!(key(1.5), key(1i32));
        assert_ne!(key("1"), key(1i32));
        assert_ne!(key(i64::MAX), key(i64::MAX as f64));
        let id = ObjectId::from_bytes([7; 12]);
        assert_ne!(key(id), key(id.to_hex()));
    }

    #[test]
    fn long_ids_fit_a_key_and_stay_distinct() {
        let long = "x".repeat(10_000);
        assert!(key(long.clone()).bytes().len() < 511);
        assert_ne!(key(long.clone()), key(format!("{long}y")));
        assert_eq!(key(long.clone()), key(long));
    }

    #[test]
    fn an_array_is_no_id() {
        let raw = RawBson::try_from(Bson::Array(vec![Bson::Int32(1)])).unwrap();
        assert!(IdKey::of_value(raw.as_raw_bson_ref()).is_err());
        assert!(IdKey::of_document(RawDocument::from_bytes(&[5, 0, 0, 0, 0]).unwrap()).is_err());
    }

    #[test]
    fn records_sort_by_collection_then_number() {
        assert!(record_key(1, u64::MAX) < record_key(2, 0));
        assert!(record_key(1, 255) < record_key(1, 256));
        assert_eq!(record_of_key(&record_key(3, 77)), Some(77));
        assert_eq!(record_of_key(b"short"), None);
    }
}
