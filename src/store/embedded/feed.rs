//! The change feed: written in the transaction of the change, trimmed at its bounds.

use bson::raw::{RawDocument, RawDocumentBuf};
use heed::{PutFlags, RoTxn, RwTxn};

use super::counters::Counters;
use super::environment::Tables;
use super::failure::{damaged_record, read_error};
use crate::error::{Code, Error, Result};
use crate::store::{Change, Operation};

/// How much the feed keeps.
#[derive(Clone, Copy, Debug)]
pub struct FeedBounds {
    pub changes_max: u64,
    pub bytes_max: u64,
}

/// Adds a change under the next sequence number. `scratch` saves an allocation per change.
pub fn append(
    tables: &Tables,
    txn: &mut RwTxn,
    counters: &mut Counters,
    scratch: &mut Vec<u8>,
    change: (&str, Operation, &RawDocument),
) -> Result<(), heed::Error> {
    let (collection, operation, document) = change;
    scratch.clear();
    scratch.push(operation_code(operation));
    // Collection names are at most 200 bytes (`COLLECTION_NAME_BYTES_MAX`).
    scratch.push(collection.len() as u8);
    scratch.extend_from_slice(collection.as_bytes());
    scratch.extend_from_slice(document.as_bytes());
    counters.sequence += 1;
    let key = counters.sequence.to_be_bytes();
    // APPEND: the new key is the greatest, so LMDB fills pages instead of halving them.
    tables
        .feed
        .put_with_flags(txn, PutFlags::APPEND, &key, scratch)?;
    counters.feed_bytes += scratch.len() as u64;
    Ok(())
}

/// Removes the oldest changes beyond the bounds.
pub fn trim(
    tables: &Tables,
    txn: &mut RwTxn,
    counters: &mut Counters,
    bounds: FeedBounds,
) -> Result<(), heed::Error> {
    counters.feed_first = counters.feed_first.max(1);
    while counters.feed_first <= counters.sequence {
        let kept = counters.sequence - counters.feed_first + 1;
        if kept <= bounds.changes_max && counters.feed_bytes <= bounds.bytes_max {
            break;
        }
        let key = counters.feed_first.to_be_bytes();
        let held = tables
            .feed
            .get(txn, &key)?
            .map_or(0, |value| value.len() as u64);
        tables.feed.delete(txn, &key)?;
        counters.feed_first += 1;
        counters.feed_bytes = counters.feed_bytes.saturating_sub(held);
    }
    Ok(())
}

/// Changes after `sequence`, oldest first, until `limit` changes or `bytes_max` bytes.
///
/// Errors: `NotFound` when changes after `sequence` have been trimmed.
pub fn read(
    tables: &Tables,
    txn: &RoTxn,
    after: u64,
    limit: usize,
    bytes_max: usize,
) -> Result<Vec<Change>> {
    let counters = tables.counters(txn).map_err(read_error)?;
    if after.saturating_add(1) < counters.feed_first {
        return Err(Error::client(
            Code::NotFound,
            format!(
                "The change feed starts at {}, after change {after}: read everything anew, then follow from {}.",
                counters.feed_first, counters.sequence
            ),
        ));
    }
    let mut changes = Vec::new();
    let mut held = 0;
    let Some(first) = after.checked_add(1) else {
        return Ok(changes);
    };
    let from = first.to_be_bytes();
    let range = (
        std::ops::Bound::Included(&from[..]),
        std::ops::Bound::Unbounded,
    );
    for entry in tables
        .feed
        .range(txn, &range)
        .map_err(read_error)?
        .take(limit)
    {
        let (key, value) = entry.map_err(read_error)?;
        held += value.len();
        if held > bytes_max && !changes.is_empty() {
            break;
        }
        changes.push(decode(key, value).ok_or_else(|| damaged_record("change feed"))?);
    }
    Ok(changes)
}

fn decode(key: &[u8], value: &[u8]) -> Option<Change> {
    let (&[operation, name_bytes], rest) = value.split_first_chunk()?;
    let (name, document) = rest.split_at_checked(name_bytes.into())?;
    Some(Change {
        sequence: u64::from_be_bytes(key.try_into().ok()?),
        collection: std::str::from_utf8(name).ok()?.to_owned(),
        operation: operation_of(operation)?,
        document: RawDocumentBuf::from_bytes(document.to_vec()).ok()?,
    })
}

fn operation_code(operation: Operation) -> u8 {
    match operation {
        Operation::Insert => 1,
        Operation::Replace => 2,
        Operation::Delete => 3,
    }
}

fn operation_of(code: u8) -> Option<Operation> {
    match code {
        1 => Some(Operation::Insert),
        2 => Some(Operation::Replace),
        3 => Some(Operation::Delete),
        _ => None,
    }
}
