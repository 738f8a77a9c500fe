//! One at a time on this shard: whoever finds the directory stale reads the store, the
//! others wait for it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// See the module.
#[derive(Default)]
pub struct Gate {
    busy: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

/// Inside the gate until dropped.
pub struct Inside<'a>(&'a Gate);

impl Gate {
    pub async fn enter(&self) -> Inside<'_> {
        poll_fn(|context| {
            if !self.busy.replace(true) {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
        Inside(self)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.busy.set(false);
        // All wake: after one refresh the others find nothing left to do.
        for waker in self.0.waiting.take() {
            waker.wake();
        }
    }
}
