//! Bytes of requests that a shard may hold: a permit is taken before a frame is
//! buffered and returned when its reply is queued. Who does not fit waits while its
//! socket is not read.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// The budget of one shard.
pub struct Budget {
    free: Cell<usize>,
    waiting: RefCell<VecDeque<Waker>>,
}

/// Bytes taken from a budget until dropped.
pub struct Permit {
    budget: Rc<Budget>,
    bytes: usize,
}

impl Budget {
    pub fn new(bytes: usize) -> Rc<Self> {
        Rc::new(Self {
            free: Cell::new(bytes),
            waiting: RefCell::default(),
        })
    }

    pub fn free_bytes(&self) -> usize {
        self.free.get()
    }

    pub fn try_take(self: &Rc<Self>, bytes: usize) -> Option<Permit> {
        let free = self.free.get().checked_sub(bytes)?;
        self.free.set(free);
        Some(Permit {
            budget: self.clone(),
            bytes,
        })
    }

    /// Waits until `bytes` are free. `bytes` must not exceed the whole budget.
    pub async fn take(self: &Rc<Self>, bytes: usize) -> Permit {
        poll_fn(|cx| match self.try_take(bytes) {
            Some(permit) => Poll::Ready(permit),
            None => {
                self.waiting.borrow_mut().push_back(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.free.set(self.budget.free.get() + self.bytes);
        // All wake and compete: a large frame at the front must not hold back small ones for ever,
        // nor may it starve; the frame deadline of the session bounds its wait.
        if !self.budget.waiting.borrow().is_empty() {
            for waker in self.budget.waiting.borrow_mut().drain(..) {
                waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_return_what_they_took() {
        let budget = Budget::new(10);
        let permit = budget.try_take(7).expect("fits");
        assert!(budget.try_take(4).is_none());
        assert_eq!(budget.free_bytes(), 3);
        drop(permit);
        assert_eq!(budget.free_bytes(), 10);
    }
}
