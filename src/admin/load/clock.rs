//! The load tool's clock. It is a client, not the server, so it reads the machine's
//! clock itself; nothing it does is replayed by a simulator.

use std::sync::LazyLock;
use std::time::Instant;

static START: LazyLock<Instant> = LazyLock::new(start);

fn start() -> Instant {
    Instant::now()
}

/// Monotonic nanoseconds since the first call.
pub(super) fn now_ns() -> u64 {
    START.elapsed().as_nanos() as u64
}
