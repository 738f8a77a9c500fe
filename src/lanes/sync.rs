//! What `channel` is made of in production; `tests/lanes_loom.rs` has loom's counterpart.

pub use std::sync::Arc;
pub use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

pub use crossbeam_queue::ArrayQueue as Queue;
use futures_util::task::AtomicWaker;
use std::task::Waker;

/// The receiver's waker, set by the receiver and taken by whichever sender wakes it.
#[derive(Default)]
pub struct WakerCell(AtomicWaker);

impl WakerCell {
    pub fn register(&self, waker: &Waker) {
        self.0.register(waker);
    }

    pub fn wake(&self) {
        self.0.wake();
    }
}
