//! The embedded store: LMDB, one ledger thread that writes, shards that read in place.
//!
//! A write goes `handle` → `desk` (its turn) → lanes → `ledger` → `plan` (conditions) →
//! `commit` (one transaction and sync per group) → lanes → `desk` (who waits). A read
//! happens on the shard itself, in the map, one short transaction per batch of documents.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use crate::error::{Error, Result};
use crate::lanes;
use crate::limits::{FEED_BYTES_MAX, FEED_CHANGES_MAX, LEDGER_LANE_BATCHES_MAX};
use crate::seam::{Clock, SharedSeam};

mod catalog;
mod commit;
mod counters;
mod desk;
mod environment;
mod failure;
mod feed;
mod handle;
mod header;
mod keys;
mod ledger;
mod lock;
mod plan;
mod read;
mod request;
mod sorter;

use desk::Shares;
use environment::Environment;
use feed::FeedBounds;
pub use handle::EmbeddedHandle;
use request::Intake;

/// How to open the store.
pub struct OpenOptions {
    /// Upper bound of the database file, bytes; address space is reserved, disk is not.
    pub map_bytes_max: usize,
    /// Gives the randomness of collection ids.
    pub clock: Arc<dyn Clock>,
}

/// Figures of the ledger since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerStats {
    /// Transactions committed: each was one sync.
    pub commits: u64,
    /// Batches in those transactions, refused conditions included.
    pub batches: u64,
    /// Batches that storage had no room for.
    pub refused: u64,
}

/// What the ledger may be told to do differently in a test.
#[derive(Clone, Copy, Debug)]
struct Tuning {
    feed: FeedBounds,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            feed: FeedBounds {
                changes_max: FEED_CHANGES_MAX,
                bytes_max: FEED_BYTES_MAX,
            },
        }
    }
}

#[derive(Default)]
struct Stats {
    commits: AtomicU64,
    batches: AtomicU64,
    refused: AtomicU64,
}

impl Stats {
    fn committed(&self, batches: usize) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.batches.fetch_add(batches as u64, Ordering::Relaxed);
    }

    fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// Newest change of each watched collection, read before every request: on a line of its
/// own, so that the ledger's other counters do not disturb the shards.
#[derive(Default)]
#[repr(align(128))]
struct Epochs {
    users: AtomicU64,
}

impl Epochs {
    fn users_changed(&self, sequence: u64) {
        self.users.store(sequence, Ordering::Release);
    }
}

/// What the ledger and the shards share.
struct Shared {
    epochs: Epochs,
    catalog: catalog::Published,
    environment: Environment,
    clock: Arc<dyn Clock>,
    tuning: Tuning,
    stats: Stats,
    shares: Arc<Shares>,
    failure: OnceLock<String>,
}

impl Shared {
    fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    fn fail(&self, reason: String) {
        tracing::error!(reason, "the database stopped");
        // The first reason is the cause, later ones follow from it.
        let _ = self.failure.set(reason);
    }
}

/// The ledger thread; stopped when the last store and handle are gone, if not before.
struct Ledger {
    intake: lanes::Sender<Intake>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Ledger {
    fn stop(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(thread) = thread.take() else {
            return;
        };
        // A full lane drains while the ledger lives; a ledger that is gone takes nothing.
        while self.intake.try_send(0, Intake::Stop).is_err() && !self.intake.is_closed() {
            std::thread::yield_now();
        }
        // A panic of the ledger is already noted in `Shared::failure`.
        let _ = thread.join();
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The embedded store of one data folder; clones are the same store.
#[derive(Clone)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    ledger: Arc<Ledger>,
}

impl EmbeddedStore {
    /// Opens the data folder, or makes it (mode 0700), and starts the ledger.
    ///
    /// Errors: `Unavailable` when another process holds the folder or it cannot be used,
    /// `Corrupt` when its data file is damaged or of another format. Each names the remedy.
    pub fn open(path: &Path, options: OpenOptions) -> Result<Self> {
        Self::open_tuned(path, options, Tuning::default())
    }

    fn open_tuned(path: &Path, options: OpenOptions, tuning: Tuning) -> Result<Self> {
        let environment = Environment::open(path, options.map_bytes_max)?;
        let (catalog, counters) = {
            let txn = environment.env.read_txn().map_err(failure::read_error)?;
            let counters = environment
                .tables
                .counters(&txn)
                .map_err(failure::read_error)?;
            (catalog::Catalog::load(&environment.tables, &txn)?, counters)
        };
        let shared = Arc::new(Shared {
            epochs: Epochs::default(),
            catalog: catalog::Published::new(catalog),
            environment,
            clock: options.clock,
            tuning,
            stats: Stats::default(),
            shares: Arc::default(),
            failure: OnceLock::new(),
        });
        let (intake, intake_end) = lanes::channel(LEDGER_LANE_BATCHES_MAX);
        let theirs = shared.clone();
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || ledger::run(theirs, intake_end, counters))
            .map_err(|cause| {
                Error::exhausted("The ledger thread could not be started.").because(cause)
            })?;
        let ledger = Arc::new(Ledger {
            intake,
            thread: Mutex::new(Some(thread)),
        });
        Ok(Self { shared, ledger })
    }

    /// What one shard holds. Its replies run as a task of `seam`.
    pub fn handle(&self, seam: SharedSeam) -> EmbeddedHandle {
        EmbeddedHandle::new(self.shared.clone(), self.ledger.clone(), seam)
    }

    /// Finishes what the ledger has taken, then ends it; later writes are `Unavailable`,
    /// reads go on. The folder is released when the last handle is gone.
    pub fn close(&self) {
        self.ledger.stop();
    }

    /// Whether the ledger has ended by a fault. The process should stop with [`Self::failure`].
    pub fn failed(&self) -> bool {
        self.shared.failure().is_some()
    }

    /// Why the ledger has ended, if by a fault.
    pub fn failure(&self) -> Option<String> {
        self.shared.failure().map(str::to_owned)
    }

    pub fn stats(&self) -> LedgerStats {
        let stats = &self.shared.stats;
        LedgerStats {
            commits: stats.commits.load(Ordering::Relaxed),
            batches: stats.batches.load(Ordering::Relaxed),
            refused: stats.refused.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests;
