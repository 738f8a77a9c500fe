//! Checks a batch against the open transaction, before anything of it is made.

use std::collections::HashMap;

use heed::RwTxn;

use super::catalog::{Catalog, Collection};
use super::counters::Counters;
use super::environment::Tables;
use super::keys::{IdKey, record_key, record_of_value};
use crate::error::{Code, Error, Result};
use crate::limits::{COLLECTION_NAME_BYTES_MAX, COLLECTIONS_MAX, DOCUMENT_BYTES_MAX};
use crate::seam::Clock;
use crate::store::{Outcome, Write};

/// A write with its index key, made on the shard so that the ledger need not look into documents.
#[derive(Debug)]
pub struct Prepared {
    pub write: Write,
    pub id: IdKey,
}

impl Prepared {
    /// Errors: `Invalid` or `TooLarge` when the write cannot be made by anyone.
    pub fn new(write: Write) -> Result<Self> {
        let (collection, document) = match &write {
            Write::Insert {
                collection,
                document,
            } => (collection, document),
            Write::Replace {
                collection,
                document,
                ..
            } => (collection, document),
            Write::Delete {
                collection,
                expected,
            } => (collection, expected),
        };
        let name_bytes = collection.len();
        if name_bytes == 0 || name_bytes > COLLECTION_NAME_BYTES_MAX || collection.contains('\0') {
            return Err(Error::invalid(format!(
                "A collection name has 1 to {COLLECTION_NAME_BYTES_MAX} bytes and no NUL."
            )));
        }
        let bytes = document.as_bytes().len();
        if bytes > DOCUMENT_BYTES_MAX {
            return Err(Error::too_large(format!(
                "The document for {collection} has {bytes} bytes, the most is {DOCUMENT_BYTES_MAX}: store its large part as a file."
            )));
        }
        let id = IdKey::of_document(document)?;
        if let Write::Replace { expected, .. } = &write
            && IdKey::of_document(expected)? != id
        {
            return Err(Error::invalid(
                "The _id of a document cannot be changed: insert a new one.",
            ));
        }
        Ok(Self { write, id })
    }

    pub fn collection(&self) -> &str {
        match &self.write {
            Write::Insert { collection, .. }
            | Write::Replace { collection, .. }
            | Write::Delete { collection, .. } => collection,
        }
    }

    /// Bytes of documents it carries.
    pub fn bytes(&self) -> usize {
        match &self.write {
            Write::Insert { document, .. } => document.as_bytes().len(),
            Write::Replace {
                expected, document, ..
            } => expected.as_bytes().len() + document.as_bytes().len(),
            Write::Delete { expected, .. } => expected.as_bytes().len(),
        }
    }
}

/// What the open transaction has done so far, beyond the committed state.
pub struct Draft<'a> {
    pub catalog: &'a Catalog,
    pub clock: &'a dyn Clock,
    pub counters: Counters,
    pub created: Vec<Collection>,
}

impl Draft<'_> {
    fn number_of(&self, name: &str) -> Option<u32> {
        let created = self
            .created
            .iter()
            .find(|collection| collection.name == name);
        created
            .map(|collection| collection.number)
            .or_else(|| self.catalog.number_of(name))
    }

    fn number_or_create(&mut self, name: &str) -> Result<u32> {
        if let Some(number) = self.number_of(name) {
            return Ok(number);
        }
        if self.catalog.len() + self.created.len() >= COLLECTIONS_MAX {
            return Err(Error::client(
                Code::TooLarge,
                format!(
                    "The database holds {COLLECTIONS_MAX} collections, the most it can: use an existing one for {name}."
                ),
            ));
        }
        self.counters.collection += 1;
        let collection = Collection::new(self.counters.collection, name, self.clock);
        self.created.push(collection);
        Ok(self.counters.collection)
    }
}

/// What a batch would do.
pub enum Verdict {
    /// All conditions hold. The record number of each write is in the list passed in.
    Holds,
    Refused(Outcome),
    /// The batch can never be made.
    Impossible(Error),
}

/// Where a document is while a batch is checked.
#[derive(Clone, Copy)]
enum Place<'b> {
    Absent,
    Record(u64),
    /// Put there by an earlier write of the same batch.
    Pending(u64, &'b [u8]),
}

/// Checks every write of the batch, earlier ones counted as made, and leaves the record
/// number of each in `records`. A refused batch leaves the draft as it was.
pub fn check(
    tables: &Tables,
    txn: &RwTxn,
    draft: &mut Draft<'_>,
    writes: &mut [Prepared],
    records: &mut Vec<u64>,
) -> Result<Verdict, heed::Error> {
    let counters_before = draft.counters;
    let created_before = draft.created.len();
    records.clear();
    let verdict = check_writes(tables, txn, draft, writes, records)?;
    if !matches!(verdict, Verdict::Holds) {
        draft.counters = counters_before;
        draft.created.truncate(created_before);
    }
    Ok(verdict)
}

fn check_writes(
    tables: &Tables,
    txn: &RwTxn,
    draft: &mut Draft<'_>,
    writes: &mut [Prepared],
    records: &mut Vec<u64>,
) -> Result<Verdict, heed::Error> {
    for (index, prepared) in writes.iter_mut().enumerate() {
        let number = match &prepared.write {
            Write::Insert { collection, .. } => match draft.number_or_create(collection) {
                Ok(number) => number,
                Err(error) => return Ok(Verdict::Impossible(error)),
            },
            _ => match draft.number_of(prepared.collection()) {
                Some(number) => number,
                None => return Ok(Verdict::Refused(Outcome::Changed { index })),
            },
        };
        prepared.id.set_collection(number);
    }
    let mut pending: HashMap<&[u8], Place<'_>> = HashMap::new();
    let is_single = writes.len() == 1;
    for (index, prepared) in writes.iter().enumerate() {
        let key = prepared.id.bytes();
        let place = match pending.get(key) {
            Some(place) => *place,
            None => committed_place(tables, txn, key)?,
        };
        let (record, next) = match (&prepared.write, place) {
            (Write::Insert { document, .. }, Place::Absent) => {
                draft.counters.record += 1;
                let record = draft.counters.record;
                (record, Place::Pending(record, document.as_bytes()))
            }
            (Write::Insert { .. }, _) => {
                return Ok(Verdict::Refused(Outcome::Duplicate { index }));
            }
            (
                Write::Replace {
                    expected, document, ..
                },
                place,
            ) => match unchanged(tables, txn, key, place, expected.as_bytes())? {
                Some(record) => (record, Place::Pending(record, document.as_bytes())),
                None => return Ok(Verdict::Refused(Outcome::Changed { index })),
            },
            (Write::Delete { expected, .. }, place) => {
                match unchanged(tables, txn, key, place, expected.as_bytes())? {
                    Some(record) => (record, Place::Absent),
                    None => return Ok(Verdict::Refused(Outcome::Changed { index })),
                }
            }
        };
        records.push(record);
        if !is_single {
            pending.insert(key, next);
        }
    }
    Ok(Verdict::Holds)
}

fn committed_place<'b>(tables: &Tables, txn: &RwTxn, key: &[u8]) -> Result<Place<'b>, heed::Error> {
    let value = tables.ids.get(txn, key)?;
    Ok(value
        .and_then(record_of_value)
        .map_or(Place::Absent, Place::Record))
}

/// The record, if the document there is byte for byte `expected`.
fn unchanged(
    tables: &Tables,
    txn: &RwTxn,
    key: &[u8],
    place: Place<'_>,
    expected: &[u8],
) -> Result<Option<u64>, heed::Error> {
    Ok(match place {
        Place::Absent => None,
        Place::Pending(record, bytes) => (bytes == expected).then_some(record),
        Place::Record(record) => {
            let collection = key
                .first_chunk()
                .map_or(0, |number| u32::from_be_bytes(*number));
            let stored = tables.records.get(txn, &record_key(collection, record))?;
            (stored == Some(expected)).then_some(record)
        }
    })
}
