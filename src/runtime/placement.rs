//! Which shard a new connection goes to: the one with the fewest, looked at from a
//! moving start so that equals take turns (design, decision 5).

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::session::registry::Gauges;

/// Deals connections by live count.
pub struct LeastConnections {
    gauges: Vec<Arc<Gauges>>,
    start: Cell<usize>,
}

impl LeastConnections {
    pub fn new(gauges: Vec<Arc<Gauges>>) -> Self {
        Self {
            gauges,
            start: Cell::new(0),
        }
    }

    /// The shard for the next connection, counted there from now on.
    pub fn pick(&self) -> usize {
        let shards = self.gauges.len();
        let start = self.start.get();
        self.start.set((start + 1) % shards);
        let live = |shard: &usize| self.gauges[*shard].connections.load(Ordering::Relaxed);
        let shard = (0..shards)
            .map(|step| (start + step) % shards)
            .min_by_key(live)
            .unwrap_or(start);
        self.gauges[shard]
            .connections
            .fetch_add(1, Ordering::Relaxed);
        shard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauges(shards: usize) -> Vec<Arc<Gauges>> {
        (0..shards).map(|_| Arc::default()).collect()
    }

    #[test]
    fn a_thousand_connections_lie_within_ten_percent() {
        let gauges = gauges(7);
        let placement = LeastConnections::new(gauges.clone());
        for _ in 0..1_000 {
            placement.pick();
        }
        for gauge in &gauges {
            let live = gauge.connections.load(Ordering::Relaxed);
            assert!(
                (129..=157).contains(&live),
                "{live} of 1,000 on one of seven shards"
            );
        }
    }

    #[test]
    fn a_shard_that_lost_its_connections_is_filled_first() {
        let gauges = gauges(3);
        let placement = LeastConnections::new(gauges.clone());
        for _ in 0..30 {
            placement.pick();
        }
        gauges[1].connections.store(0, Ordering::Relaxed);
        assert!((0..10).all(|_| placement.pick() == 1));
    }
}
