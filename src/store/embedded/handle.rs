//! What a shard holds: reads in place, writes by way of its desk.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::time::Duration;

use bson::raw::RawDocumentBuf;

use super::catalog::Catalog;
use super::desk::Desk;
use super::failure;
use super::plan::Prepared;
use super::request::{Intake, Replies, Reply, Request};
use super::{Ledger, Shared, feed, read};
use crate::error::{Error, Result, Retry};
use crate::lanes::{self, Receiver};
use crate::limits::{LEDGER_HANDLE_BATCHES_MAX, LEDGER_INTAKE_BYTES_MAX, QUERY_BYTES_MAX};
use crate::seam::SharedSeam;
use crate::store::{
    Change, CollectionInfo, DocumentStore, Find, Outcome, StoreFuture, WatchedCollection,
    WriteBatch,
};

/// Wait before an intake is tried again that was full in spite of the shares, which only
/// happens while handles are being made under load.
const INTAKE_RETRY_DELAY: Duration = Duration::from_millis(1);

/// One shard's view of the embedded store.
pub struct EmbeddedHandle {
    shared: Arc<Shared>,
    ledger: Arc<Ledger>,
    seam: SharedSeam,
    desk: Rc<Desk>,
    replies: Arc<Replies>,
    /// The catalog as this shard last saw it, with its version.
    catalog: RefCell<(u64, Arc<Catalog>)>,
}

impl EmbeddedHandle {
    pub(super) fn new(shared: Arc<Shared>, ledger: Arc<Ledger>, seam: SharedSeam) -> Self {
        shared.shares.join();
        let (replies, replies_end) = lanes::channel(LEDGER_HANDLE_BATCHES_MAX);
        let desk = Rc::new(Desk::new(shared.shares.clone()));
        seam.spawn(
            "ledger replies",
            Box::pin(distribute(replies_end, desk.clone(), ledger.intake.clone())),
        );
        let seen = (shared.catalog.version(), shared.catalog.current());
        Self {
            shared,
            ledger,
            seam,
            desk,
            replies: Arc::new(replies),
            catalog: RefCell::new(seen),
        }
    }

    fn catalog(&self) -> Arc<Catalog> {
        let version = self.shared.catalog.version();
        let mut seen = self.catalog.borrow_mut();
        if seen.0 != version {
            *seen = (version, self.shared.catalog.current());
        }
        seen.1.clone()
    }

    async fn write_batch(&self, batch: WriteBatch) -> Result<Outcome> {
        if batch.writes.is_empty() {
            return Ok(Outcome::Written);
        }
        let priority = batch.priority;
        let writes: Vec<Prepared> = batch
            .writes
            .into_iter()
            .map(Prepared::new)
            .collect::<Result<_>>()?;
        let bytes = writes.iter().map(Prepared::bytes).sum();
        if bytes > LEDGER_INTAKE_BYTES_MAX {
            return Err(Error::too_large(format!(
                "The batch holds {bytes} bytes of documents, the most is {LEDGER_INTAKE_BYTES_MAX}: send it in parts."
            )));
        }
        let turn = self.desk.turn(bytes);
        turn.admitted().await;
        let request = Request::new(writes, bytes, self.replies.clone(), turn.waiter());
        let mut message = Intake::Write(request);
        // Before sending: the answer may be on its way when `try_send` returns.
        turn.sent();
        while let Err(back) = self.ledger.intake.try_queue(priority, message) {
            if self.ledger.intake.is_closed() {
                // Dropping the message answers it with "unavailable".
                drop(back);
                break;
            }
            message = back;
            self.ledger.intake.wake();
            self.seam.sleep(INTAKE_RETRY_DELAY).await;
        }
        self.desk.wake_ledger_later();
        turn.await
    }

    fn read_changes(&self, after: u64, limit: usize, bytes_max: usize) -> Result<Vec<Change>> {
        let environment = &self.shared.environment;
        let txn = environment.env.read_txn().map_err(failure::read_error)?;
        feed::read(&environment.tables, &txn, after, limit, bytes_max)
    }

    async fn changes_after(&self, after: u64, limit: usize) -> Result<Vec<Change>> {
        let mut changes: Vec<Change> = Vec::new();
        let mut from = after;
        let mut bytes_left = QUERY_BYTES_MAX;
        while changes.len() < limit {
            let wanted = (limit - changes.len()).min(crate::limits::SCAN_BATCH_DOCUMENTS);
            let found = match self.read_changes(from, wanted, bytes_left) {
                // Trimmed while we were reading: what was read is still in order.
                Err(_) if !changes.is_empty() => break,
                found => found?,
            };
            let is_last = found.len() < wanted;
            let held: usize = found
                .iter()
                .map(|change| change.document.as_bytes().len())
                .sum();
            changes.extend(found);
            if is_last || held >= bytes_left {
                break;
            }
            bytes_left -= held;
            from = changes.last().map_or(from, |change| change.sequence);
            self.seam.yield_now().await;
        }
        Ok(changes)
    }
}

impl Drop for EmbeddedHandle {
    fn drop(&mut self) {
        self.shared.shares.leave();
    }
}

/// Wakes the ledger once for all that a turn of this shard has queued, takes the answers
/// of each group and wakes who waits. Ends when the handle and all it has in flight are
/// gone; holds nothing of the database, so that its folder is not kept.
async fn distribute(
    mut replies: Receiver<Vec<Reply>>,
    desk: Rc<Desk>,
    intake: lanes::Sender<Intake>,
) {
    let mut next = |context: &mut Context<'_>| {
        if desk.is_wake_due(context) {
            intake.wake();
        }
        replies.poll_recv(context)
    };
    while let Some(group) = poll_fn(&mut next).await {
        desk.answer(group);
    }
}

impl DocumentStore for EmbeddedHandle {
    fn find(&self, find: Find) -> StoreFuture<'_, Vec<RawDocumentBuf>> {
        Box::pin(async move {
            let catalog = self.catalog();
            read::find(&self.shared.environment, &catalog, &*self.seam, find).await
        })
    }

    fn count(&self, find: Find) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let catalog = self.catalog();
            read::count(&self.shared.environment, &catalog, &*self.seam, find).await
        })
    }

    fn write(&self, batch: WriteBatch) -> StoreFuture<'_, Outcome> {
        Box::pin(async move {
            if self.shared.failure().is_some() {
                return Err(failure::stopped(Retry::Safe));
            }
            self.write_batch(batch).await
        })
    }

    fn collections(&self) -> StoreFuture<'_, Vec<CollectionInfo>> {
        Box::pin(async move { Ok(self.catalog().infos()) })
    }

    fn changes(&self, after: u64, limit: usize) -> StoreFuture<'_, Vec<Change>> {
        Box::pin(self.changes_after(after, limit))
    }

    fn collection_epoch(&self, collection: WatchedCollection) -> u64 {
        match collection {
            WatchedCollection::Users => self.shared.epochs.users.load(Ordering::Acquire),
        }
    }
}
