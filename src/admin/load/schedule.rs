//! The open loop: requests are due at fixed times, whatever the server does.

use std::time::Duration;

use compio::time::sleep;

use super::Lane;
use super::clock::now_ns;
use super::tally::Tally;

/// Shortest sleep; requests that fall due within it are sent together. Their latency
/// still counts from the time each was due.
const SLEEP_NS_MIN: u64 = 50_000;

/// Nanoseconds after the start at which request `number` is due.
fn due_ns(number: u64, rate: u64) -> u64 {
    (u128::from(number) * 1_000_000_000 / u128::from(rate)) as u64
}

/// Deals `rate` requests per second to the lanes in turn until the tally's time is up.
pub(super) async fn run(lanes: &[Lane], rate: u64, start_ns: u64, tally: &Tally) {
    let mut number = 0;
    loop {
        let now = now_ns();
        if now >= tally.until_ns() {
            return;
        }
        while start_ns + due_ns(number, rate) <= now {
            let due = start_ns + due_ns(number, rate);
            let lane = &lanes[(number % lanes.len() as u64) as usize];
            let mut work = lane.work.borrow_mut();
            lane.link.send(|out| work.due(due, out));
            number += 1;
        }
        let wait = (start_ns + due_ns(number, rate)).saturating_sub(now_ns());
        sleep(Duration::from_nanos(wait.max(SLEEP_NS_MIN))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_keeps_the_rate_without_drift() {
        assert_eq!(due_ns(0, 3), 0);
        assert_eq!(due_ns(3, 3), 1_000_000_000);
        assert_eq!(due_ns(3_000_000, 3), 1_000_000_000_000_000);
        assert_eq!(due_ns(1, 10_000_000), 100);
    }
}
