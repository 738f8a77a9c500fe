//! Bounded lock-free lanes, many senders to one receiver, four priorities.
//!
//! The mesh between shards, the ledger's intake and its replies are such channels.
//! A sender wakes the receiver only when it sleeps, so a batch costs one wake-up.
//! `channel` is checked by loom with modelled queues (`tests/lanes_loom.rs`), which is
//! why it takes its primitives from `sync` and from nowhere else.

use crate::limits::PRIORITY_LANES;

mod channel;
mod sync;
mod weighted;

pub use channel::{Receiver, Sender, channel};
pub use weighted::Weighted;

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

/// What [`Receiver::recv_blocking`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<T> {
    Value(T),
    /// Nothing arrived within the timeout.
    Nothing,
    /// Nothing is left and all senders are gone.
    Closed,
}

struct ThreadWaker(Thread);

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl<T: Send> Receiver<T> {
    /// Waits on a plain thread. `None` waits until something happens; a timeout may end
    /// early, since a thread can be unparked for other reasons: callers loop.
    pub fn recv_blocking(&mut self, timeout: Option<Duration>) -> Received<T> {
        if let Some(value) = self.try_recv() {
            return Received::Value(value);
        }
        let waker = Waker::from(Arc::new(ThreadWaker(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut parked = false;
        loop {
            match self.poll_recv(&mut context) {
                Poll::Ready(Some(value)) => return Received::Value(value),
                Poll::Ready(None) => return Received::Closed,
                Poll::Pending if parked => return Received::Nothing,
                Poll::Pending => match timeout {
                    None => std::thread::park(),
                    Some(timeout) => {
                        std::thread::park_timeout(timeout);
                        parked = true;
                    }
                },
            }
        }
    }
}

#[cfg(test)]
mod tests;
