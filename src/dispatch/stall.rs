//! Stalls: work that held the core longer than its budget, reported by name.

use std::sync::Arc;
use std::time::Duration;

use crate::limits::TASK_BUDGET;
use crate::seam::{Clock, Ticks};
use crate::session::registry::Gauges;

/// Measures one shard's work.
#[derive(Clone)]
pub struct StallReporter {
    shard: usize,
    clock: Arc<dyn Clock>,
    gauges: Arc<Gauges>,
}

impl StallReporter {
    pub fn new(shard: usize, clock: Arc<dyn Clock>, gauges: Arc<Gauges>) -> Self {
        Self {
            shard,
            clock,
            gauges,
        }
    }

    /// Runs `work`, begun at `started`, and reports it when it holds the core beyond its
    /// budget. Returns the time at its end too, so that the next one need not ask.
    pub fn watch<T>(&self, name: &str, started: Ticks, work: impl FnOnce() -> T) -> (T, Ticks) {
        let result = work();
        let ended = self.clock.now();
        let held = ended.since(started);
        if held > TASK_BUDGET {
            self.report(name, held);
        }
        (result, ended)
    }

    pub fn now(&self) -> Ticks {
        self.clock.now()
    }

    #[cold]
    fn report(&self, name: &str, held: Duration) {
        Gauges::add(&self.gauges.stalls, 1);
        tracing::warn!(
            shard = self.shard,
            task = name,
            held_ms = held.as_secs_f64() * 1e3,
            budget_ms = TASK_BUDGET.as_millis() as u64,
            "stall: a task held the core beyond its budget"
        );
    }
}
