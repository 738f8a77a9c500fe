//! Locks by key for what a store cannot check by itself: that insert-or-update finds
//! the same document twice, that a name is unique. One table per process, shared by
//! its shards, of a fixed number of locks; keys that share one wait needlessly, and
//! several keys are taken in one order, so nobody waits in a circle.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

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
}

#[derive(Default)]
struct Lock {
    held: bool,
    waiting: VecDeque<Waker>,
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
            poll_fn(|context| {
                let mut lock = self.at(index);
                if !std::mem::replace(&mut lock.held, true) {
                    return Poll::Ready(());
                }
                lock.waiting.push_back(context.waker().clone());
                Poll::Pending
            })
            .await;
            held.indexes.push(index);
        }
        held
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
            let waiting = {
                let mut lock = self.table.at(*index);
                lock.held = false;
                std::mem::take(&mut lock.waiting)
            };
            // All wake: a waiter that was dropped meanwhile would swallow the only wake-up.
            waiting.into_iter().for_each(Waker::wake);
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
