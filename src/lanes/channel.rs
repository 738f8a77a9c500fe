//! The channel and its wake-up protocol.
//!
//! The receiver registers its waker, raises `asleep`, and looks once more before it
//! sleeps; a sender queues its value and then looks at `asleep`. The fences between the
//! two steps on both sides make it impossible that both miss each other. Whoever lowers
//! `asleep` wakes, so many senders cost one wake-up.

use std::future::poll_fn;
use std::task::{Context, Poll};

use super::PRIORITY_LANES;
use super::sync::{Arc, AtomicBool, AtomicUsize, Ordering, Queue, WakerCell, fence};
use super::weighted::Weighted;

struct Shared<T> {
    lanes: [Queue<T>; PRIORITY_LANES],
    asleep: AtomicBool,
    waker: WakerCell,
    senders: AtomicUsize,
    receiver_gone: AtomicBool,
}

impl<T> Shared<T> {
    fn wake_if_asleep(&self) {
        // Pairs with the fence in `poll_recv`: either this load sees the raised flag, or
        // the receiver's second look sees what was queued before.
        fence(Ordering::SeqCst);
        // A failed exchange must write nothing: a stray `false` could hide the next sleep.
        if self.asleep.load(Ordering::Relaxed)
            && self
                .asleep
                .compare_exchange(true, false, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        {
            self.waker.wake();
        }
    }

    fn discard(&self) {
        for lane in &self.lanes {
            while lane.pop().is_some() {}
        }
    }
}

/// Sending end; clones send into the same lanes.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

/// Receiving end. Dropping it drops what is queued, and every later `try_send` gives its
/// value back.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    weighted: Weighted,
}

/// A channel of four lanes; each holds at most `capacity_per_lane` values (at least 1).
pub fn channel<T: Send>(capacity_per_lane: usize) -> (Sender<T>, Receiver<T>) {
    let capacity = capacity_per_lane.max(1);
    let shared = Arc::new(Shared {
        lanes: std::array::from_fn(|_| Queue::new(capacity)),
        asleep: AtomicBool::new(false),
        waker: WakerCell::default(),
        senders: AtomicUsize::new(1),
        receiver_gone: AtomicBool::new(false),
    });
    let sender = Sender {
        shared: shared.clone(),
    };
    (
        sender,
        Receiver {
            shared,
            weighted: Weighted::new(),
        },
    )
}

impl<T: Send> Sender<T> {
    /// Queues `value` and wakes the receiver if it sleeps; a priority above 3 counts as 3.
    /// Values of one lane arrive in order.
    ///
    /// Errors: gives the value back when its lane is full or the receiver is gone. A value
    /// queued while the receiver goes is dropped, as those queued before.
    pub fn try_send(&self, priority: u8, value: T) -> Result<(), T> {
        self.try_queue(priority, value)?;
        self.shared.wake_if_asleep();
        Ok(())
    }

    /// As [`Sender::try_send`], but leaves a sleeping receiver asleep: whoever queues owes
    /// it a [`Sender::wake`] soon. So a turn that sends many values wakes once, at its end.
    pub fn try_queue(&self, priority: u8, value: T) -> Result<(), T> {
        if self.is_closed() {
            return Err(value);
        }
        let lane = usize::from(priority).min(PRIORITY_LANES - 1);
        self.shared.lanes[lane].push(value)?;
        // Pairs with the fence in `Receiver::drop`: either that drop sees this value or this
        // look sees the flag. Nothing sits in a channel nobody reads.
        fence(Ordering::SeqCst);
        if self.is_closed() {
            self.shared.discard();
        }
        Ok(())
    }

    /// Wakes the receiver if it sleeps.
    pub fn wake(&self) {
        self.shared.wake_if_asleep();
    }
}

impl<T> Sender<T> {
    /// Whether the receiver is gone.
    pub fn is_closed(&self) -> bool {
        self.shared.receiver_gone.load(Ordering::Acquire)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.senders.fetch_add(1, Ordering::Relaxed);
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.shared.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.wake_if_asleep();
        }
    }
}

impl<T: Send> Receiver<T> {
    /// The next value by weight, if there is one.
    pub fn try_recv(&mut self) -> Option<T> {
        let lanes = &self.shared.lanes;
        let occupied = std::array::from_fn(|lane| !lanes[lane].is_empty());
        let lane = self.weighted.pick(occupied)?;
        lanes[lane].pop()
    }

    /// The next value; `None` when nothing is left and all senders are gone.
    /// Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Option<T> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// Waits for at least one value, then takes what is there, at most `max`, into `into`.
    /// Returns how many; 0 when nothing is left and all senders are gone.
    pub async fn recv_batch(&mut self, into: &mut Vec<T>, max: usize) -> usize {
        let Some(first) = self.recv().await else {
            return 0;
        };
        into.push(first);
        let mut taken = 1;
        while taken < max
            && let Some(value) = self.try_recv()
        {
            into.push(value);
            taken += 1;
        }
        taken
    }

    /// As [`Receiver::recv`], for hand-written futures and threads.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        if let Some(value) = self.try_recv() {
            return Poll::Ready(Some(value));
        }
        self.shared.waker.register(context.waker());
        self.shared.asleep.store(true, Ordering::Relaxed);
        // Pairs with the fence in `wake_if_asleep`.
        fence(Ordering::SeqCst);
        // Read before the lanes: once it is 0 nothing more can be queued, so an empty
        // look afterwards is final.
        let senders = self.shared.senders.load(Ordering::Acquire);
        let found = self.try_recv();
        if found.is_none() && senders > 0 {
            return Poll::Pending;
        }
        self.shared.asleep.store(false, Ordering::Relaxed);
        Poll::Ready(found)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.receiver_gone.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        self.shared.discard();
    }
}
