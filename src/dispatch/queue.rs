//! The shard's run queue: four lanes by priority, picked by weight, none starved.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use crate::lanes::Weighted;
use crate::limits::PRIORITY_LANES;

use super::Job;

/// Requests that wait for a turn. Bounded by the permits their frames hold.
pub struct RunQueue<T = Job> {
    lanes: RefCell<[VecDeque<T>; PRIORITY_LANES]>,
    weighted: RefCell<Weighted>,
    len: Cell<usize>,
}

impl<T> Default for RunQueue<T> {
    fn default() -> Self {
        Self {
            lanes: RefCell::default(),
            weighted: RefCell::default(),
            len: Cell::new(0),
        }
    }
}

impl RunQueue<Job> {
    pub fn push(&self, job: Job) {
        self.push_at(job.priority, job);
    }
}

impl<T> RunQueue<T> {
    /// Appends to the lane of a priority 0–3.
    pub fn push_at(&self, priority: u8, item: T) {
        self.lanes.borrow_mut()[priority as usize].push_back(item);
        self.len.set(self.len.get() + 1);
    }

    pub fn pop(&self) -> Option<T> {
        let mut lanes = self.lanes.borrow_mut();
        let occupied = std::array::from_fn(|lane| !lanes[lane].is_empty());
        let lane = self.weighted.borrow_mut().pick(occupied)?;
        let item = lanes[lane].pop_front();
        if item.is_some() {
            self.len.set(self.len.get() - 1);
        }
        item
    }

    pub fn len(&self) -> usize {
        self.len.get()
    }

    pub fn is_empty(&self) -> bool {
        self.len.get() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_high_priority_overtakes_a_flood_and_the_flood_still_moves() {
        let queue = RunQueue::default();
        for number in 0..1_000 {
            queue.push_at(0, ("flood", number));
        }
        queue.push_at(3, ("urgent", 0));
        let first: Vec<_> = (0..2).filter_map(|_| queue.pop()).collect();
        assert!(first.contains(&("urgent", 0)), "{first:?}");
        for number in 0..100 {
            queue.push_at(3, ("urgent", number));
        }
        let next: Vec<_> = (0..30).filter_map(|_| queue.pop()).collect();
        assert!(
            next.iter().any(|(kind, _)| *kind == "flood"),
            "priority 0 starves: {next:?}"
        );
    }

    #[test]
    fn order_is_kept_inside_a_lane() {
        let queue = RunQueue::default();
        for number in 0..50 {
            queue.push_at(2, number);
        }
        let taken: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(taken, (0..50).collect::<Vec<_>>());
        assert!(queue.is_empty());
    }
}
