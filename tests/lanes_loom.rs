//! Every interleaving of the lanes' wake-up protocol, explored by loom.
//!
//! The channel's source is compiled here a second time with loom's atomics and a
//! modelled queue, so the rest of the house needs no loom build.

use opencore::limits::PRIORITY_LANES;

#[allow(dead_code)]
#[path = "../src/lanes/channel.rs"]
mod channel;
#[allow(dead_code)]
#[path = "../src/lanes/weighted.rs"]
mod weighted;

/// The same names as `src/lanes/sync.rs`.
mod sync {
    pub use loom::sync::Arc;
    pub use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
    use std::collections::VecDeque;
    use std::task::Waker;

    /// A queue whose length is published by release stores, as ArrayQueue's stamps are:
    /// a look without a fence may miss a push.
    pub struct Queue<T> {
        values: loom::sync::Mutex<VecDeque<T>>,
        length: AtomicUsize,
        capacity: usize,
    }

    impl<T> Queue<T> {
        pub fn new(capacity: usize) -> Self {
            Self {
                values: loom::sync::Mutex::new(VecDeque::new()),
                length: AtomicUsize::new(0),
                capacity,
            }
        }

        pub fn push(&self, value: T) -> Result<(), T> {
            let mut values = self.values.lock().unwrap();
            if values.len() == self.capacity {
                return Err(value);
            }
            values.push_back(value);
            self.length.store(values.len(), Ordering::Release);
            Ok(())
        }

        pub fn pop(&self) -> Option<T> {
            let mut values = self.values.lock().unwrap();
            let value = values.pop_front();
            self.length.store(values.len(), Ordering::Release);
            value
        }

        pub fn is_empty(&self) -> bool {
            self.length.load(Ordering::Acquire) == 0
        }
    }

    /// Linearizable, as AtomicWaker is; the waker runs outside the lock.
    #[derive(Default)]
    pub struct WakerCell(loom::sync::Mutex<Option<Waker>>);

    impl WakerCell {
        pub fn register(&self, waker: &Waker) {
            *self.0.lock().unwrap() = Some(waker.clone());
        }

        pub fn wake(&self) {
            let taken = self.0.lock().unwrap().take();
            if let Some(waker) = taken {
                waker.wake();
            }
        }
    }
}

use channel::channel;
use loom::future::block_on;
use loom::thread;

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    // Known protocol bugs of this kind show within three preemptions; more only costs time.
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[test]
fn no_wake_up_is_lost() {
    explore(|| {
        let (sender, mut receiver) = channel::<u32>(2);
        let sending = thread::spawn(move || {
            sender.try_send(1, 7).unwrap();
            // Keeps the sender: the close must not be what wakes the receiver.
            sender
        });
        assert_eq!(block_on(receiver.recv()), Some(7));
        drop(sending.join().unwrap());
    });
}

#[test]
fn a_wake_after_queueing_is_enough() {
    explore(|| {
        let (sender, mut receiver) = channel::<u32>(2);
        let sending = thread::spawn(move || {
            sender.try_queue(1, 1).unwrap();
            sender.try_queue(1, 2).unwrap();
            sender.wake();
            sender
        });
        let received = block_on(async { [receiver.recv().await, receiver.recv().await] });
        assert_eq!(received, [Some(1), Some(2)]);
        drop(sending.join().unwrap());
    });
}

#[test]
fn two_senders_and_a_sleeping_receiver() {
    explore(|| {
        let (sender, mut receiver) = channel::<u32>(2);
        let other = sender.clone();
        let first = thread::spawn(move || {
            sender.try_send(0, 1).unwrap();
            sender
        });
        let second = thread::spawn(move || {
            other.try_send(0, 2).unwrap();
            other
        });
        let sum =
            block_on(async { receiver.recv().await.unwrap() + receiver.recv().await.unwrap() });
        assert_eq!(sum, 3);
        drop((first.join().unwrap(), second.join().unwrap()));
    });
}

#[test]
fn order_is_kept_and_nothing_is_lost_at_close() {
    explore(|| {
        let (sender, mut receiver) = channel::<u32>(3);
        let sending = thread::spawn(move || {
            sender.try_send(2, 1).unwrap();
            sender.try_send(2, 2).unwrap();
        });
        let received = block_on(async {
            let mut received = Vec::new();
            while receiver.recv_batch(&mut received, 8).await > 0 {}
            received
        });
        assert_eq!(received, [1, 2]);
        sending.join().unwrap();
    });
}

#[test]
fn the_last_sender_of_two_ends_the_wait() {
    explore(|| {
        let (sender, mut receiver) = channel::<u32>(1);
        let other = sender.clone();
        let first = thread::spawn(move || drop(sender));
        let second = thread::spawn(move || drop(other));
        assert_eq!(block_on(receiver.recv()), None);
        first.join().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn nothing_stays_in_a_channel_whose_receiver_is_gone() {
    explore(|| {
        let (sender, receiver) = channel::<loom::sync::Arc<()>>(1);
        let value = loom::sync::Arc::new(());
        let sent = value.clone();
        let sending = thread::spawn(move || {
            let _ = sender.try_send(1, sent);
            sender
        });
        drop(receiver);
        let sender = sending.join().unwrap();
        assert_eq!(loom::sync::Arc::strong_count(&value), 1);
        drop(sender);
    });
}
