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

type Run = Vec<RawDocumentBuf>;

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
    pub async fn add(&mut self, mut batch: Run) -> Result<()> {
        batch.sort_by(|a, b| self.sort.compare(a, b));
        batch.truncate(self.kept_max);
        if batch.is_empty() {
            return Ok(());
        }
        self.runs.push(batch);
        while let [.., left, right] = &self.runs[..]
            && left.len() <= 2 * right.len()
        {
            self.merge_last().await;
        }
        let held: usize = self.runs.iter().map(|run| bytes_of(run)).sum();
        if held > QUERY_BYTES_MAX {
            return Err(too_much("sort"));
        }
        Ok(())
    }

    /// All kept documents in order.
    pub async fn finish(&mut self) -> Result<Run> {
        while self.runs.len() > 1 {
            self.merge_last().await;
        }
        Ok(self.runs.pop().unwrap_or_default())
    }

    async fn merge_last(&mut self) {
        let (Some(right), Some(left)) = (self.runs.pop(), self.runs.pop()) else {
            return;
        };
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
        self.runs.push(merged);
    }
}

fn bytes_of(run: &[RawDocumentBuf]) -> usize {
    run.iter().map(|document| document.as_bytes().len()).sum()
}
