//! The sessions of one shard, with gauges and the count of closes per reason.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{CloseReason, Door, Session};

/// Counters that other threads read: placement, the monitoring page.
#[derive(Debug)]
pub struct Gauges {
    /// Sessions and connections open now: what placement balances.
    pub connections: AtomicU64,
    pub sessions: AtomicU64,
    pub requests: AtomicU64,
    pub errors: AtomicU64,
    pub stalls: AtomicU64,
    pub closed: Vec<AtomicU64>,
    pub opened: Vec<AtomicU64>,
}

impl Default for Gauges {
    fn default() -> Self {
        let counters = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            connections: AtomicU64::new(0),
            sessions: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            stalls: AtomicU64::new(0),
            closed: counters(CloseReason::ALL.len()),
            opened: counters(Door::ALL.len()),
        }
    }
}

impl Gauges {
    /// One writer, the shard itself: a plain add without a locked instruction.
    pub fn add(counter: &AtomicU64, count: u64) {
        counter.store(
            counter.load(Ordering::Relaxed).wrapping_add(count),
            Ordering::Relaxed,
        );
    }

    pub fn closed(&self, reason: CloseReason) -> u64 {
        self.closed[reason as usize].load(Ordering::Relaxed)
    }

    pub fn count_close(&self, reason: CloseReason) {
        Self::add(&self.closed[reason as usize], 1);
    }
}

/// All sessions of a shard.
pub struct Registry {
    sessions: RefCell<HashMap<u64, Rc<Session>>>,
    next_id: Cell<u64>,
    pub gauges: Arc<Gauges>,
}

impl Registry {
    /// `shard` makes session ids unique in the process.
    pub fn new(shard: usize, gauges: Arc<Gauges>) -> Rc<Self> {
        Rc::new(Self {
            sessions: RefCell::default(),
            next_id: Cell::new((shard as u64) << 48),
            gauges,
        })
    }

    /// A session id that no other session of this process has.
    pub fn fresh_id(&self) -> u64 {
        self.next_id.set(self.next_id.get() + 1);
        self.next_id.get()
    }

    pub fn insert(&self, session: Rc<Session>) {
        Gauges::add(&self.gauges.opened[session.door as usize], 1);
        self.sessions.borrow_mut().insert(session.id, session);
        self.gauges
            .sessions
            .store(self.len() as u64, Ordering::Relaxed);
    }

    pub fn remove(&self, id: u64) {
        let removed = self.sessions.borrow_mut().remove(&id);
        if let Some(reason) = removed.and_then(|session| session.close_reason()) {
            self.gauges.count_close(reason);
        }
        self.gauges
            .sessions
            .store(self.len() as u64, Ordering::Relaxed);
    }

    pub fn len(&self) -> usize {
        self.sessions.borrow().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sessions of this moment; what comes and goes meanwhile does not disturb the caller.
    pub fn snapshot(&self) -> Vec<Rc<Session>> {
        self.sessions.borrow().values().cloned().collect()
    }
}
