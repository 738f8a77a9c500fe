//! Twice a second: which sessions of the shard are due for a ping, a new token or an end.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use crate::dispatch::Dispatcher;
use crate::seam::Ticks;
use crate::session::liveness::{Due, Timers, due};

const INTERVAL: Duration = Duration::from_millis(500);

/// Time a closed session has to take its last replies before it is cut.
const CLOSING_MAX: Duration = Duration::from_secs(10);

/// Quiet time after which a session gives its spare buffer back.
const QUIET: Duration = Duration::from_secs(5);

/// Runs as long as the shard.
pub async fn run(dispatcher: Rc<Dispatcher>, timers: Timers) {
    let mut closing: HashMap<u64, Ticks> = HashMap::new();
    loop {
        dispatcher.services.seam.sleep(INTERVAL).await;
        let clock = dispatcher.services.seam.clock();
        let (now, unix_ms) = (clock.now(), clock.unix_ms());
        let mut still_closing = HashMap::new();
        for session in dispatcher.registry.snapshot() {
            if session.close_reason().is_some() {
                let since = closing.get(&session.id).copied().unwrap_or(now);
                if now.since(since) >= CLOSING_MAX {
                    session.cut();
                }
                still_closing.insert(session.id, since);
                continue;
            }
            if now.since(session.last_message()) >= QUIET {
                session.outbox.shrink();
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
