//! What all connections count together.

use std::cell::{Cell, RefCell};

use hdrhistogram::Histogram;

use crate::limits::LOAD_LATENCY_NS_MAX;

pub(super) struct Tally {
    latency_ns: RefCell<Histogram<u64>>,
    until_ns: Cell<u64>,
    running: Cell<bool>,
    messages: Cell<u64>,
    in_time: Cell<u64>,
    errors: Cell<u64>,
    duplicates: Cell<u64>,
    ended: Cell<u64>,
    first_error: RefCell<Option<String>>,
}

impl Default for Tally {
    fn default() -> Self {
        // Three digits; the bounds are constants that the constructor accepts.
        let latency_ns = Histogram::new_with_max(LOAD_LATENCY_NS_MAX, 3)
            .or_else(|_| Histogram::new(3))
            .unwrap_or_else(|_| unreachable!("three significant digits are allowed"));
        Self {
            latency_ns: RefCell::new(latency_ns),
            until_ns: Cell::default(),
            running: Cell::default(),
            messages: Cell::default(),
            in_time: Cell::default(),
            errors: Cell::default(),
            duplicates: Cell::default(),
            ended: Cell::default(),
            first_error: RefCell::default(),
        }
    }
}

fn add(cell: &Cell<u64>) {
    cell.set(cell.get() + 1);
}

impl Tally {
    /// Starts counting; replies up to `until_ns` are in time.
    pub fn open(&self, until_ns: u64) {
        self.until_ns.set(until_ns);
        self.running.set(true);
    }

    pub fn stop(&self) {
        self.running.set(false);
    }

    pub fn is_running(&self) -> bool {
        self.running.get()
    }

    pub fn until_ns(&self) -> u64 {
        self.until_ns.get()
    }

    /// A right reply. Late ones count for latency, not for the rate.
    pub fn reply(&self, start_ns: u64, now_ns: u64) {
        add(&self.messages);
        if now_ns <= self.until_ns.get() {
            add(&self.in_time);
        }
        let latency = now_ns.saturating_sub(start_ns).max(1);
        self.latency_ns.borrow_mut().saturating_record(latency);
    }

    pub fn error(&self, text: impl FnOnce() -> String) {
        add(&self.errors);
        self.first_error.borrow_mut().get_or_insert_with(text);
    }

    pub fn duplicate(&self) {
        add(&self.duplicates);
    }

    pub fn connection_ended(&self) {
        add(&self.ended);
    }

    pub fn messages(&self) -> u64 {
        self.messages.get()
    }

    pub fn in_time(&self) -> u64 {
        self.in_time.get()
    }

    pub fn errors(&self) -> u64 {
        self.errors.get()
    }

    pub fn duplicates(&self) -> u64 {
        self.duplicates.get()
    }

    pub fn ended(&self) -> u64 {
        self.ended.get()
    }

    pub fn first_error(&self) -> Option<String> {
        self.first_error.borrow().clone()
    }

    /// Microseconds at a quantile from 0 to 1.
    pub fn quantile_us(&self, quantile: f64) -> f64 {
        self.latency_ns.borrow().value_at_quantile(quantile) as f64 / 1_000.0
    }

    pub fn max_us(&self) -> f64 {
        self.latency_ns.borrow().max() as f64 / 1_000.0
    }
}
