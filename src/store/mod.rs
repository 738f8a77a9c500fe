//! What a document database must do: raw BSON in, raw BSON out.
//!
//! A store knows documents, collections and changes. It knows no users: rights
//! reach it as a [`Guard`], which it applies to every document it would return.
//! Both stores pass the same contract tests (`tests/store_contract.rs`).

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use bson::raw::{RawDocument, RawDocumentBuf};

use crate::document::filter::Filter;
use crate::document::projection::Projection;
use crate::document::sort::Sort;
use crate::error::Result;

pub mod embedded;

pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

/// Rights as a store sees them: a condition that every document returned must meet.
#[derive(Clone)]
pub struct Guard {
    /// Decides in process.
    pub admits: Rc<dyn Fn(&RawDocument) -> bool>,
    /// The same condition as a MongoDB filter, for a store that filters elsewhere.
    pub filter: RawDocumentBuf,
}

/// A read of one collection. A collection that does not exist reads as empty.
#[derive(Clone)]
pub struct Find {
    pub collection: String,
    pub filter: Rc<Filter>,
    pub guard: Option<Guard>,
    pub projection: Option<Rc<Projection>>,
    pub sort: Option<Rc<Sort>>,
    pub skip: u64,
    /// `None`: all, within `limits::QUERY_BYTES_MAX`.
    pub limit: Option<u64>,
}

impl Find {
    pub fn new(collection: impl Into<String>, filter: Rc<Filter>) -> Self {
        Self {
            collection: collection.into(),
            filter,
            guard: None,
            projection: None,
            sort: None,
            skip: 0,
            limit: None,
        }
    }
}

/// One change of one document, with what must hold for it to be made.
#[derive(Clone, Debug)]
pub enum Write {
    /// The document carries its `_id`; the id must not exist in the collection.
    /// Creates the collection when it is missing.
    Insert {
        collection: String,
        document: RawDocumentBuf,
    },
    /// Replaces the document with the same `_id`, if it still is byte for byte `expected`.
    Replace {
        collection: String,
        expected: RawDocumentBuf,
        document: RawDocumentBuf,
    },
    /// Removes the document, if it still is byte for byte `expected`.
    Delete {
        collection: String,
        expected: RawDocumentBuf,
    },
}

/// Writes that are made together or not at all.
#[derive(Clone, Debug, Default)]
pub struct WriteBatch {
    pub writes: Vec<Write>,
    /// Envelope.priority 0–3: which lane of the intake.
    pub priority: u8,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is durable.
    Written,
    /// Nothing was written: the insert at this index names an `_id` that exists.
    Duplicate { index: usize },
    /// Nothing was written: the document at this index is gone or no longer what was expected.
    Changed { index: usize },
}

/// An entry of `listcollections` (contract 6.1).
#[derive(Clone, Debug)]
pub struct CollectionInfo {
    pub name: String,
    /// 36-character UUID text, stable for the collection's life.
    pub uuid: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Insert,
    Replace,
    Delete,
}

/// An entry of the change feed, committed in the same transaction as the change.
#[derive(Clone, Debug)]
pub struct Change {
    /// Position in the feed: grows by one per change, never reused.
    pub sequence: u64,
    pub collection: String,
    pub operation: Operation,
    /// The document after the change; for a delete the last one before it.
    pub document: RawDocumentBuf,
}

/// A store, as one shard holds it.
pub trait DocumentStore {
    /// Documents that meet filter and guard: sorted, skipped, limited, projected.
    ///
    /// Errors: `TooLarge` when the result or the sort holds more than `limits::QUERY_BYTES_MAX`.
    fn find(&self, find: Find) -> StoreFuture<'_, Vec<RawDocumentBuf>>;

    /// How many documents meet filter and guard; `skip`, `limit`, sort and projection are ignored.
    fn count(&self, find: Find) -> StoreFuture<'_, u64>;

    /// Makes all writes of the batch or none. When it returns `Written` they are durable.
    ///
    /// Errors: `Exhausted` when the disk or the map is full (nothing written, retry safe),
    /// `Unavailable` when the ledger has stopped.
    fn write(&self, batch: WriteBatch) -> StoreFuture<'_, Outcome>;

    /// All collections, unsorted.
    fn collections(&self) -> StoreFuture<'_, Vec<CollectionInfo>>;

    /// Changes after `sequence`, oldest first, at most `limit`.
    /// Errors: `NotFound` when the feed no longer reaches back that far: read everything anew.
    fn changes(&self, after: u64, limit: usize) -> StoreFuture<'_, Vec<Change>>;

    /// Sequence number of the newest change of `collection` that this process has seen, 0 for none.
    /// Cheap enough to ask before every request: one read of shared memory.
    fn collection_epoch(&self, collection: WatchedCollection) -> u64;
}

/// Collections whose changes the server itself follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchedCollection {
    Users,
}
