//! A batch on its way through the ledger, and the answers on their way back.

use std::sync::Arc;

use super::failure;
use super::plan::Prepared;
use crate::error::{Result, Retry};
use crate::lanes;
use crate::store::Outcome;

/// The answer for one waiter of a handle.
pub struct Reply {
    pub waiter: usize,
    pub result: Result<Outcome>,
}

/// Where a handle takes its answers: one message, so one wake-up, per group.
pub type Replies = lanes::Sender<Vec<Reply>>;

/// A message to the ledger.
pub enum Intake {
    Write(Request),
    Stop,
}

/// A batch and who waits for it. Whoever drops it unanswered tells the waiter so:
/// no path, not even a panic of the ledger, leaves a client waiting.
pub struct Request {
    pub writes: Vec<Prepared>,
    pub bytes: usize,
    waiter: Option<(Arc<Replies>, usize)>,
    is_tried: bool,
}

impl Request {
    pub fn new(writes: Vec<Prepared>, bytes: usize, replies: Arc<Replies>, waiter: usize) -> Self {
        Self {
            writes,
            bytes,
            waiter: Some((replies, waiter)),
            is_tried: false,
        }
    }

    /// From here on an end without an answer means that the write may have happened.
    pub fn try_now(&mut self) -> &mut [Prepared] {
        self.is_tried = true;
        &mut self.writes
    }

    pub fn answer(mut self, result: Result<Outcome>, answers: &mut Answers) {
        if let Some((replies, waiter)) = self.waiter.take() {
            answers.add(replies, Reply { waiter, result });
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if let Some((replies, waiter)) = self.waiter.take() {
            let retry = if self.is_tried {
                Retry::Unsafe
            } else {
                Retry::Safe
            };
            let result = Err(failure::stopped(retry));
            // A handle that is gone has no waiters.
            let _ = replies.try_send(0, vec![Reply { waiter, result }]);
        }
    }
}

/// Answers of one group, by handle.
#[derive(Default)]
pub struct Answers {
    by_handle: Vec<(Arc<Replies>, Vec<Reply>)>,
}

impl Answers {
    fn add(&mut self, replies: Arc<Replies>, reply: Reply) {
        match self
            .by_handle
            .iter_mut()
            .find(|(of, _)| Arc::ptr_eq(of, &replies))
        {
            Some((_, gathered)) => gathered.push(reply),
            None => self.by_handle.push((replies, vec![reply])),
        }
    }

    /// Sends them: one wake-up per shard.
    pub fn send(&mut self) {
        for (replies, gathered) in self.by_handle.drain(..) {
            // Never full: its lane holds as many messages as the handle may have in flight.
            let _ = replies.try_send(0, gathered);
        }
    }
}
