//! A shard's side of the ledger: who waits, in turn, and how much may be in flight.
//!
//! Shares of the intake are dealt by the number of handles, so the intake never overflows;
//! a batch beyond the share waits here, first come, first served.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use slab::Slab;

use super::request::Reply;
use crate::error::Result;
use crate::limits::{LEDGER_HANDLE_BATCHES_MAX, LEDGER_INTAKE_BYTES_MAX, LEDGER_LANE_BATCHES_MAX};
use crate::store::Outcome;

/// What one handle may have in flight.
#[derive(Clone, Copy, Debug)]
struct Share {
    batches: usize,
    bytes: usize,
}

/// Deals the intake among the handles.
#[derive(Default)]
pub struct Shares {
    handles: AtomicUsize,
}

impl Shares {
    pub fn join(&self) {
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    pub fn leave(&self) {
        self.handles.fetch_sub(1, Ordering::Relaxed);
    }

    /// Shrinks as handles come; what is in flight above a new share drains by itself.
    fn share(&self) -> Share {
        let handles = self.handles.load(Ordering::Relaxed).max(1);
        Share {
            batches: (LEDGER_LANE_BATCHES_MAX / handles).clamp(1, LEDGER_HANDLE_BATCHES_MAX),
            bytes: LEDGER_INTAKE_BYTES_MAX / handles,
        }
    }
}

enum Stage {
    /// Waits for its turn.
    Queued(Option<Waker>),
    /// Its turn has come; the permit is taken.
    Admitted,
    /// With the ledger.
    Sent(Option<Waker>),
    /// With the ledger, and nobody waits any more.
    Abandoned,
    Answered(Result<Outcome>),
    /// The answer is taken; only the entry is left.
    Done,
}

struct Ticket {
    bytes: usize,
    stage: Stage,
}

#[derive(Default)]
struct State {
    tickets: Slab<Ticket>,
    queue: VecDeque<usize>,
    batches: usize,
    bytes: usize,
}

impl State {
    /// A batch larger than the whole share goes alone.
    fn has_room(&self, bytes: usize, share: Share) -> bool {
        self.batches == 0 || (self.batches < share.batches && self.bytes + bytes <= share.bytes)
    }

    fn take(&mut self, bytes: usize) {
        self.batches += 1;
        self.bytes += bytes;
    }

    fn give_back(&mut self, bytes: usize) {
        self.batches -= 1;
        self.bytes -= bytes;
    }

    /// Lets the next in the queue through, as many as fit; returns who to wake.
    fn admit(&mut self, share: Share) -> Vec<Waker> {
        let mut woken = Vec::new();
        while let Some(&key) = self.queue.front() {
            let bytes = self.tickets[key].bytes;
            if !self.has_room(bytes, share) {
                break;
            }
            self.queue.pop_front();
            self.take(bytes);
            if let Stage::Queued(Some(waker)) =
                std::mem::replace(&mut self.tickets[key].stage, Stage::Admitted)
            {
                woken.push(waker);
            }
        }
        woken
    }
}

/// Shared by a handle and its reply task.
pub struct Desk {
    state: RefCell<State>,
    /// Something is queued for the ledger that it has not been woken for.
    wake_due: Cell<bool>,
    /// The task that wakes it, and hands out answers.
    task: RefCell<Option<Waker>>,
    shares: Arc<Shares>,
}

impl Desk {
    pub fn new(shares: Arc<Shares>) -> Self {
        Self {
            state: RefCell::default(),
            wake_due: Cell::new(false),
            task: RefCell::default(),
            shares,
        }
    }

    /// A turn for a batch of `bytes`.
    pub fn turn(self: &Rc<Self>, bytes: usize) -> Turn {
        let mut state = self.state.borrow_mut();
        let is_free = state.queue.is_empty() && state.has_room(bytes, self.shares.share());
        let stage = if is_free {
            Stage::Admitted
        } else {
            Stage::Queued(None)
        };
        let key = state.tickets.insert(Ticket { bytes, stage });
        match is_free {
            true => state.take(bytes),
            false => state.queue.push_back(key),
        }
        Turn {
            desk: self.clone(),
            key,
        }
    }

    /// Puts the reply task at the end of the shard's run queue, behind others that may
    /// write in this turn: one wake-up, and one group, for all of them.
    pub fn wake_ledger_later(&self) {
        if !self.wake_due.replace(true)
            && let Some(task) = &*self.task.borrow()
        {
            task.wake_by_ref();
        }
    }

    /// Asked by the reply task whenever it runs.
    pub fn is_wake_due(&self, context: &Context<'_>) -> bool {
        let mut task = self.task.borrow_mut();
        if !task
            .as_ref()
            .is_some_and(|task| task.will_wake(context.waker()))
        {
            *task = Some(context.waker().clone());
        }
        self.wake_due.take()
    }

    /// Hands out the answers of a group.
    pub fn answer(&self, replies: Vec<Reply>) {
        let mut woken = Vec::new();
        let mut state = self.state.borrow_mut();
        for Reply { waiter, result } in replies {
            let Some(ticket) = state.tickets.get_mut(waiter) else {
                continue;
            };
            let bytes = ticket.bytes;
            match std::mem::replace(&mut ticket.stage, Stage::Answered(result)) {
                Stage::Sent(waker) => woken.extend(waker),
                _ => drop(state.tickets.remove(waiter)),
            }
            state.give_back(bytes);
        }
        woken.extend(state.admit(self.shares.share()));
        drop(state);
        // Outside the borrow: a waker may run anything.
        woken.into_iter().for_each(Waker::wake);
    }
}

/// One batch's way: waits for admission, then, once marked as sent, for its answer.
/// Dropping it at any stage gives back what it holds.
pub struct Turn {
    desk: Rc<Desk>,
    key: usize,
}

impl Turn {
    pub fn waiter(&self) -> usize {
        self.key
    }

    /// Ready when the batch may be sent.
    pub fn admitted(&self) -> impl Future<Output = ()> + '_ {
        std::future::poll_fn(|context| {
            let mut state = self.desk.state.borrow_mut();
            match &mut state.tickets[self.key].stage {
                Stage::Queued(waker) => {
                    *waker = Some(context.waker().clone());
                    Poll::Pending
                }
                _ => Poll::Ready(()),
            }
        })
    }

    /// From here on the permit is given back by the answer. To be called before sending.
    pub fn sent(&self) {
        self.desk.state.borrow_mut().tickets[self.key].stage = Stage::Sent(None);
    }
}

impl Future for Turn {
    type Output = Result<Outcome>;

    /// The answer; to be polled after [`Turn::sent`].
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.desk.state.borrow_mut();
        let stage = &mut state.tickets[self.key].stage;
        match std::mem::replace(stage, Stage::Sent(Some(context.waker().clone()))) {
            Stage::Answered(result) => {
                *stage = Stage::Done;
                Poll::Ready(result)
            }
            _ => Poll::Pending,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.desk.state.borrow_mut();
        let bytes = state.tickets[self.key].bytes;
        match state.tickets[self.key].stage {
            Stage::Queued(_) => {
                let key = self.key;
                state.queue.retain(|&queued| queued != key);
                state.tickets.remove(key);
            }
            Stage::Admitted => {
                state.tickets.remove(self.key);
                state.give_back(bytes);
            }
            Stage::Sent(_) => state.tickets[self.key].stage = Stage::Abandoned,
            Stage::Answered(_) | Stage::Abandoned | Stage::Done => {
                state.tickets.remove(self.key);
            }
        }
        let woken = state.admit(self.desk.shares.share());
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests;
