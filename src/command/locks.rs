//! Locks by key for what a store cannot check by itself: that insert-or-update finds
//! the same document twice, that a name is unique. One table per process, shared by
//! its shards, of a fixed number of locks; keys that share one wait needlessly, and
//! several keys are taken in one order, so nobody waits in a circle.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::limits;

/// Three tables, because a request that holds a lock of the first may want one of the next.
#[derive(Default)]
pub struct KeyLocks {
    /// By collection and the values of `uniqeness`.
    pub upserts: Arc<LockTable>,
    /// By collection and `_id`, for updates. Taken after `upserts`.
    pub documents: Arc<LockTable>,
    /// By user and role name. Taken after the other two, never before.
    pub names: Arc<LockTable>,
}

/// `limits::KEY_LOCKS` locks.
pub struct LockTable {
    locks: Vec<Mutex<Lock>>,
    hasher: std::collections::hash_map::RandomState,
    tickets: AtomicU64,
}

#[derive(Default)]
struct Lock {
    held: bool,
    /// By ticket.
    waiting: VecDeque<(u64, Waker)>,
}

/// Locks held until dropped.
pub struct Held {
    table: Arc<LockTable>,
    indexes: Vec<usize>,
}

impl Default for LockTable {
    fn default() -> Self {
        let locks = (0..limits::KEY_LOCKS).map(|_| Mutex::default()).collect();
        Self {
            locks,
            hasher: std::collections::hash_map::RandomState::new(),
            tickets: AtomicU64::new(0),
        }
    }
}

impl LockTable {
    /// Waits for the locks of all `keys`.
    pub async fn lock<K: Hash>(self: &Arc<Self>, keys: impl IntoIterator<Item = K>) -> Held {
        let index = |key: K| self.hasher.hash_one(key) as usize % self.locks.len();
        let mut wanted: Vec<usize> = keys.into_iter().map(index).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut held = Held {
            table: self.clone(),
            indexes: Vec::with_capacity(wanted.len()),
        };
        for index in wanted {
            let turn = Turn {
                table: self,
                index,
                ticket: self.tickets.fetch_add(1, Ordering::Relaxed),
                is_done: Cell::new(false),
            };
            poll_fn(|context| turn.poll(context)).await;
            held.indexes.push(index);
        }
        held
    }

    /// Frees a lock and wakes the one who waits longest: waking all would make a crowd of
    /// a thousand compete for each release, and block the shard that wakes them.
    fn release(&self, index: usize) {
        let next = {
            let mut lock = self.at(index);
            lock.held = false;
            lock.waiting.pop_front()
        };
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }

    fn at(&self, index: usize) -> MutexGuard<'_, Lock> {
        // A lock is two assignments: nothing is left half done by a panic elsewhere.
        self.locks[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for index in &self.indexes {
            self.table.release(*index);
        }
    }
}

/// One who waits for a lock. Dropped before its turn it leaves the queue; dropped after it
/// was woken it wakes the next, so that no wake-up is lost.
struct Turn<'a> {
    table: &'a LockTable,
    index: usize,
    ticket: u64,
    is_done: Cell<bool>,
}

impl Turn<'_> {
    fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut lock = self.table.at(self.index);
        lock.waiting.retain(|(ticket, _)| *ticket != self.ticket);
        if !std::mem::replace(&mut lock.held, true) {
            self.is_done.set(true);
            return Poll::Ready(());
        }
        // By ticket, not by arrival: who was woken and overtaken keeps its place.
        let place = lock
            .waiting
            .partition_point(|(ticket, _)| *ticket < self.ticket);
        lock.waiting
            .insert(place, (self.ticket, context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.is_done.get() {
            return;
        }
        let next = {
            let mut lock = self.table.at(self.index);
            let waited = lock.waiting.len();
            lock.waiting.retain(|(ticket, _)| *ticket != self.ticket);
            let was_woken = lock.waiting.len() == waited;
            (was_woken && !lock.held)
                .then(|| lock.waiting.pop_front())
                .flatten()
        };
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_key_is_held_by_one_at_a_time() {
        let table = Arc::new(LockTable::default());
        let held = table.lock(["a"]).now_or_never().expect("free");
        assert!(table.lock(["b", "a"]).now_or_never().is_none());
        drop(held);
        assert!(table.lock(["b", "a"]).now_or_never().is_some());
    }

    #[test]
    fn what_gave_up_waiting_holds_nothing() {
        let table = Arc::new(LockTable::default());
        let held = table.lock(["a"]).now_or_never().expect("free");
        let keys: Vec<String> = (0..100)
            .map(|n| n.to_string())
            .chain(["a".into()])
            .collect();
        assert!(table.lock(&keys).now_or_never().is_none());
        drop(held);
        assert!(table.lock(&keys).now_or_never().is_some());
    }

    #[test]
    fn threads_count_together_without_losing_a_step() {
        let table = Arc::new(LockTable::default());
        let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let work = || {
            let (table, count) = (table.clone(), count.clone());
            std::thread::spawn(move || {
                let seam = crate::seam::testing::TestSeam::new();
                for _ in 0..50 {
                    seam.block_on(async {
                        let _held = table.lock(["x", "y"]).await;
                        let before = count.load(std::sync::atomic::Ordering::Relaxed);
                        std::thread::yield_now();
                        count.store(before + 1, std::sync::atomic::Ordering::Relaxed);
                    });
                }
            })
        };
        let threads: Vec<_> = (0..4).map(|_| work()).collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), 200);
    }
}
