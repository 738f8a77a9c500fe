//! Once a second: which sessions of the shard are due for a ping, a new token or an end.

use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use crate::dispatch::Dispatcher;
use crate::session::liveness::{Due, Timers, due};

const INTERVAL: Duration = Duration::from_millis(500);

/// Sweeps this often see a closed session before it is cut: ten seconds to take its last replies.
const SWEEPS_BEFORE_CUT: u32 = 20;

/// Runs as long as the shard.
pub async fn run(dispatcher: Rc<Dispatcher>, timers: Timers) {
    let mut closing: HashSet<u64> = HashSet::new();
    let mut sweeps: u32 = 0;
    loop {
        dispatcher.services.seam.sleep(INTERVAL).await;
        sweeps = sweeps.wrapping_add(1);
        let clock = dispatcher.services.seam.clock();
        let (now, unix_ms) = (clock.now(), clock.unix_ms());
        let mut still_closing = HashSet::new();
        for session in dispatcher.registry.snapshot() {
            if session.close_reason().is_some() {
                let waited = closing.contains(&session.id);
                if waited && sweeps.is_multiple_of(SWEEPS_BEFORE_CUT) {
                    session.cut();
                }
                still_closing.insert(session.id);
                continue;
            }
            match due(&session, &timers, now, unix_ms) {
                Due::Nothing => {}
                Due::Ping => session.send_ping(now),
                Due::Close(reason) => session.close(reason),
                Due::Renew => dispatcher.renew(&session),
            }
        }
        closing = still_closing;
    }
}
