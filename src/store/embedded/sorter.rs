//! Sorting within bounds of memory and of time on the core.
//!
//! Batches are sorted as they come and merged like a binary counter, with a yield every
//! batch. With a limit, no run is longer than what can be asked for, so a sort of a
//! million documents for the first fifty holds fifty.

use std::cmp::Ordering;
use std::rc::Rc;

use bson::raw::RawDocumentBuf;

use crate::document::sort::Sort;
use crate::error::{Error, Result};
use crate::limits::{QUERY_BYTES_MAX, SCAN_BATCH_DOCUMENTS};
use crate::seam::Seam;

pub fn too_much(what: &str) -> Error {
    Error::too_large(format!(
        "The {what} of the query holds more than {QUERY_BYTES_MAX} bytes: narrow the filter, ask for fewer fields, or page with top and skip."
    ))
}

/// Sorted documents and the bytes they hold.
#[derive(Default)]
struct Run {
    documents: Vec<RawDocumentBuf>,
    bytes: usize,
}

impl Run {
    fn new(documents: Vec<RawDocumentBuf>) -> Self {
        let bytes = documents
            .iter()
            .map(|document| document.as_bytes().len())
            .sum();
        Self { documents, bytes }
    }
}

pub struct Sorter<'a> {
    sort: Rc<Sort>,
    kept_max: usize,
    seam: &'a dyn Seam,
    /// Sorted, earlier documents in earlier runs: a merge prefers the left, which keeps
    /// equal documents in natural order.
    runs: Vec<Run>,
}

impl<'a> Sorter<'a> {
    /// `kept_max`: how many of the first documents are wanted.
    pub fn new(sort: Rc<Sort>, kept_max: Option<u64>, seam: &'a dyn Seam) -> Self {
        let kept_max = kept_max
            .and_then(|max| usize::try_from(max).ok())
            .unwrap_or(usize::MAX);
        Self {
            sort,
            kept_max,
            seam,
            runs: Vec::new(),
        }
    }

    /// Takes the next documents in natural order, at most a scan batch.
    ///
    /// Errors: `TooLarge` when what must be held is more than `QUERY_BYTES_MAX`.
    pub async fn add(&mut self, mut batch: Vec<RawDocumentBuf>) -> Result<()> {
        batch.sort_by(|a, b| self.sort.compare(a, b));
        batch.truncate(self.kept_max);
        if batch.is_empty() {
            return Ok(());
        }
        self.runs.push(Run::new(batch));
        while let [.., left, right] = &self.runs[..]
            && left.documents.len() <= 2 * right.documents.len()
        {
            self.merge_last().await;
        }
        let held: usize = self.runs.iter().map(|run| run.bytes).sum();
        if held > QUERY_BYTES_MAX {
            return Err(too_much("sort"));
        }
        Ok(())
    }

    /// All kept documents in order.
    pub async fn finish(mut self) -> Vec<RawDocumentBuf> {
        while self.runs.len() > 1 {
            self.merge_last().await;
        }
        self.runs.pop().unwrap_or_default().documents
    }

    async fn merge_last(&mut self) {
        let (Some(right), Some(left)) = (self.runs.pop(), self.runs.pop()) else {
            return;
        };
        let (left, right) = (left.documents, right.documents);
        let mut merged = Vec::with_capacity((left.len() + right.len()).min(self.kept_max));
        let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
        while merged.len() < self.kept_max {
            let next = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if self.sort.compare(a, b) == Ordering::Greater => right.next(),
                (Some(_), _) => left.next(),
                _ => right.next(),
            };
            let Some(next) = next else { break };
            merged.push(next);
            if merged.len() % SCAN_BATCH_DOCUMENTS == 0 {
                self.seam.yield_now().await;
            }
        }
        self.runs.push(Run::new(merged));
    }
}
