//! Bytes of requests that a shard may hold: a permit is taken before a frame is
//! buffered and returned when its reply is queued. Who does not fit waits while its
//! socket is not read.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// The budget of one shard.
pub struct Budget {
    free: Cell<usize>,
    /// By ticket: who came first is first.
    waiting: RefCell<BTreeMap<u64, Waker>>,
    tickets: Cell<u64>,
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
            tickets: Cell::new(0),
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

    /// Waits until `bytes` are free, longest waiting first. `bytes` must not exceed the
    /// whole budget.
    pub async fn take(self: &Rc<Self>, bytes: usize) -> Permit {
        let mut place = Place {
            budget: self,
            ticket: None,
        };
        let permit = poll_fn(|cx| match self.try_take(bytes) {
            Some(permit) => Poll::Ready(permit),
            None => {
                place.wait(cx.waker().clone());
                Poll::Pending
            }
        })
        .await;
        // What is left may be enough for the next: leaving wakes it.
        drop(place);
        permit
    }

    /// One at a time, who then wakes the next: waking all would cost a crowd of wake-ups for
    /// each permit.
    fn wake_next(&self) {
        let next = self.waiting.borrow_mut().pop_first();
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }
}

/// A place among those who wait. Whoever leaves it, served or not, wakes the next when
/// there is something free, so that no wake-up is lost with a waiter that gave up.
struct Place<'a> {
    budget: &'a Budget,
    ticket: Option<u64>,
}

impl Place<'_> {
    fn wait(&mut self, waker: Waker) {
        let ticket = *self.ticket.get_or_insert_with(|| {
            self.budget.tickets.set(self.budget.tickets.get() + 1);
            self.budget.tickets.get()
        });
        self.budget.waiting.borrow_mut().insert(ticket, waker);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.budget.waiting.borrow_mut().remove(&ticket);
            if self.budget.free.get() > 0 {
                self.budget.wake_next();
            }
        }
    }
}

impl Permit {
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes over what another permit of the same budget holds.
    pub fn join(&mut self, mut other: Permit) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.free.set(self.budget.free.get() + self.bytes);
        if self.bytes > 0 {
            self.budget.wake_next();
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

    #[test]
    fn a_waiter_that_gives_up_does_not_take_the_wake_up_along() {
        use futures_util::FutureExt;
        use futures_util::task::noop_waker_ref;
        use std::task::Context;

        let budget = Budget::new(2);
        let held = budget.try_take(2).expect("fits");
        let mut first = Box::pin(budget.take(1));
        let mut second = Box::pin(budget.take(1));
        let mut context = Context::from_waker(noop_waker_ref());
        assert!(first.poll_unpin(&mut context).is_pending());
        assert!(second.poll_unpin(&mut context).is_pending());
        drop(held);
        assert_eq!(budget.waiting.borrow().len(), 1, "the first was woken");
        drop(first);
        assert_eq!(budget.waiting.borrow().len(), 0, "and passed it on");
        assert!(second.poll_unpin(&mut context).is_ready());
    }
}
