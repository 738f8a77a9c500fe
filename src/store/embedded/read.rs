//! Reads: by `_id` through the index, or a scan in natural order.
//!
//! A read transaction lives for one batch of documents and never across an await, so a
//! long scan pins no pages and holds no core. Documents are looked at in the map and
//! copied only when they are part of the result.

use std::ops::{Bound, ControlFlow};

use bson::RawBson;
use bson::raw::{RawDocument, RawDocumentBuf};
use heed::{RoTxn, WithTls};

use super::catalog::Catalog;
use super::environment::Environment;
use super::failure::{damaged_record, read_error};
use super::keys::{IdKey, record_key, record_of_key, record_of_value};
use super::sorter::{Sorter, too_much};
use crate::error::Result;
use crate::limits::{QUERY_BYTES_MAX, SCAN_BATCH_BYTES, SCAN_BATCH_DOCUMENTS};
use crate::seam::Seam;
use crate::store::Find;

pub async fn find(
    environment: &Environment,
    catalog: &Catalog,
    seam: &dyn Seam,
    find: Find,
) -> Result<Vec<RawDocumentBuf>> {
    let Some(collection) = catalog.number_of(&find.collection) else {
        return Ok(Vec::new());
    };
    let reader = Reader {
        environment,
        collection,
        seam,
        find: &find,
    };
    match &find.sort {
        None => reader.unsorted().await,
        Some(sort) => {
            let kept_max = find.limit.map(|limit| limit.saturating_add(find.skip));
            let sorter = Sorter::new(sort.clone(), kept_max, seam);
            reader.sorted(sorter).await
        }
    }
}

pub async fn count(
    environment: &Environment,
    catalog: &Catalog,
    seam: &dyn Seam,
    find: Find,
) -> Result<u64> {
    let Some(collection) = catalog.number_of(&find.collection) else {
        return Ok(0);
    };
    let reader = Reader {
        environment,
        collection,
        seam,
        find: &find,
    };
    let mut source = reader.source()?;
    let mut count = 0;
    while reader.next_batch(&mut source, |_| {
        count += 1;
        Ok(ControlFlow::Continue(()))
    })? {
        seam.yield_now().await;
    }
    Ok(count)
}

/// Where the next batch starts.
enum Source {
    /// Candidates by `_id`, in natural order; `usize` is the next.
    Records(Vec<u64>, usize),
    /// All records above the first number, up to the second: what comes in during a scan
    /// is not chased.
    Scan(u64, u64),
}

struct Reader<'a> {
    environment: &'a Environment,
    collection: u32,
    seam: &'a dyn Seam,
    find: &'a Find,
}

impl Reader<'_> {
    async fn unsorted(&self) -> Result<Vec<RawDocumentBuf>> {
        let mut found = Vec::new();
        let limit = self.find.limit.unwrap_or(u64::MAX);
        if limit == 0 {
            return Ok(found);
        }
        let mut skip = self.find.skip;
        let mut bytes_held = 0;
        let mut source = self.source()?;
        while self.next_batch(&mut source, |document| {
            if skip > 0 {
                skip -= 1;
                return Ok(ControlFlow::Continue(()));
            }
            let document = self.project(document);
            bytes_held += document.as_bytes().len();
            if bytes_held > QUERY_BYTES_MAX {
                return Err(too_much("result"));
            }
            found.push(document);
            let is_enough = found.len() as u64 >= limit;
            Ok(if is_enough {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })? {
            self.seam.yield_now().await;
        }
        Ok(found)
    }

    async fn sorted(&self, mut sorter: Sorter<'_>) -> Result<Vec<RawDocumentBuf>> {
        let mut source = self.source()?;
        loop {
            let mut batch = Vec::new();
            let is_more = self.next_batch(&mut source, |document| {
                batch.push(document.to_owned());
                Ok(ControlFlow::Continue(()))
            })?;
            sorter.add(batch).await?;
            if !is_more {
                break;
            }
            self.seam.yield_now().await;
        }
        let sorted = sorter.finish().await;
        let skip = usize::try_from(self.find.skip).unwrap_or(usize::MAX);
        let limit = self.find.limit.map_or(usize::MAX, |limit| limit as usize);
        let chosen = sorted.into_iter().skip(skip).take(limit);
        Ok(match &self.find.projection {
            None => chosen.collect(),
            Some(projection) => chosen.map(|document| projection.apply(&document)).collect(),
        })
    }

    fn project(&self, document: &RawDocument) -> RawDocumentBuf {
        match &self.find.projection {
            None => document.to_owned(),
            Some(projection) => projection.apply(document),
        }
    }

    fn admits(&self, document: &RawDocument) -> bool {
        // The guard after the filter: it costs more and sees fewer.
        self.find.filter.matches(document)
            && self
                .find
                .guard
                .as_ref()
                .is_none_or(|guard| (guard.admits)(document))
    }

    fn txn(&self) -> Result<RoTxn<'_, WithTls>> {
        // `RoTxn<WithTls>` is of this thread: reads of one batch never nest or move.
        self.environment.env.read_txn().map_err(read_error)
    }

    fn source(&self) -> Result<Source> {
        let tables = &self.environment.tables;
        let txn = self.txn()?;
        let Some(candidates) = self.find.filter.id_candidates() else {
            let end = record_key(self.collection, u64::MAX);
            let start = record_key(self.collection, 0);
            let range = (Bound::Included(&start[..]), Bound::Included(&end[..]));
            let last = tables
                .records
                .rev_range(&txn, &range)
                .map_err(read_error)?
                .next();
            let last = last.transpose().map_err(read_error)?;
            let last = last.and_then(|(key, _)| record_of_key(key)).unwrap_or(0);
            return Ok(Source::Scan(0, last));
        };
        let mut records = Vec::new();
        for candidate in candidates {
            // A value that cannot be a key is no document's `_id`.
            let Some(mut key) = RawBson::try_from(candidate)
                .ok()
                .and_then(|id| IdKey::of_value(id.as_raw_bson_ref()).ok())
            else {
                continue;
            };
            key.set_collection(self.collection);
            let value = tables.ids.get(&txn, key.bytes()).map_err(read_error)?;
            records.extend(value.and_then(record_of_value));
        }
        records.sort_unstable();
        records.dedup();
        Ok(Source::Records(records, 0))
    }

    /// Shows a batch of documents to `visit`, those that filter and guard admit.
    /// A batch ends at `SCAN_BATCH_DOCUMENTS`, or sooner at `SCAN_BATCH_BYTES`.
    /// Returns whether there may be more.
    fn next_batch(
        &self,
        source: &mut Source,
        mut visit: impl FnMut(&RawDocument) -> Result<ControlFlow<()>>,
    ) -> Result<bool> {
        let mut bytes_seen = 0;
        match source {
            Source::Records(records, next) => {
                let batch = records[*next..].iter().take(SCAN_BATCH_DOCUMENTS);
                let txn = self.txn()?;
                for &record in batch {
                    *next += 1;
                    let key = record_key(self.collection, record);
                    let stored = self.environment.tables.records.get(&txn, &key);
                    // Deleted since the index was asked: not found.
                    let Some(bytes) = stored.map_err(read_error)? else {
                        continue;
                    };
                    if self.show(bytes, &mut visit)?.is_break() {
                        return Ok(false);
                    }
                    bytes_seen += bytes.len();
                    if bytes_seen >= SCAN_BATCH_BYTES {
                        break;
                    }
                }
                Ok(*next < records.len())
            }
            Source::Scan(after, last) => {
                let (start, end) = (
                    record_key(self.collection, *after),
                    record_key(self.collection, *last),
                );
                let range = (Bound::Excluded(&start[..]), Bound::Included(&end[..]));
                let txn = self.txn()?;
                let entries = self
                    .environment
                    .tables
                    .records
                    .range(&txn, &range)
                    .map_err(read_error)?;
                for entry in entries.take(SCAN_BATCH_DOCUMENTS) {
                    let (key, bytes) = entry.map_err(read_error)?;
                    *after = record_of_key(key).ok_or_else(|| damaged_record("record key"))?;
                    if self.show(bytes, &mut visit)?.is_break() {
                        return Ok(false);
                    }
                    bytes_seen += bytes.len();
                    if bytes_seen >= SCAN_BATCH_BYTES {
                        break;
                    }
                }
                // Stops at a short batch too: `last` itself may have been deleted.
                Ok(*after < *last && start[4..] != after.to_be_bytes())
            }
        }
    }

    fn show(
        &self,
        bytes: &[u8],
        visit: &mut impl FnMut(&RawDocument) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        let document = RawDocument::from_bytes(bytes)
            .map_err(|cause| damaged_record(&self.find.collection).because(cause))?;
        match self.admits(document) {
            true => visit(document),
            false => Ok(ControlFlow::Continue(())),
        }
    }
}
