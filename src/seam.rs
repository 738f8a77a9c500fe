//! Clock, chance, sleep and spawn: everything a simulator replaces.
//!
//! No other room asks the operating system for the time, for randomness or for a
//! task; `clippy.toml` points whoever tries to this one. Production gives
//! `runtime::seam`, tests give [`testing`].

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

#[cfg(test)]
pub mod testing;

pub type LocalFuture<T> = Pin<Box<dyn Future<Output = T> + 'static>>;

/// Monotonic time since some fixed start of this process, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Ticks(pub u64);

impl Ticks {
    pub fn since(self, earlier: Ticks) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    pub fn plus(self, duration: Duration) -> Ticks {
        Ticks(self.0.saturating_add(duration.as_nanos() as u64))
    }
}

/// Time and chance, for any thread.
pub trait Clock: Send + Sync + 'static {
    /// Monotonic.
    fn now(&self) -> Ticks;
    /// Milliseconds since 1970-01-01 UTC; may jump.
    fn unix_ms(&self) -> i64;
    /// Not predictable by a peer.
    fn random_u64(&self) -> u64;
}

/// What a task on a shard may ask for.
pub trait Seam: 'static {
    fn clock(&self) -> &dyn Clock;
    fn sleep(&self, duration: Duration) -> LocalFuture<()>;
    /// Lets other tasks of the shard run once.
    fn yield_now(&self) -> LocalFuture<()>;
    /// Runs a task on this shard. The name shows in stall reports.
    fn spawn(&self, name: &'static str, task: LocalFuture<()>);
    /// Runs a blocking job (a password hash) on another thread; at most `BLOCKING_JOBS_MAX` at once.
    fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> LocalFuture<()>;
}

pub type SharedSeam = Rc<dyn Seam>;

/// Runs `job` on another thread and returns what it returns.
pub async fn blocking<T: Send + 'static>(
    seam: &dyn Seam,
    job: impl FnOnce() -> T + Send + 'static,
) -> T {
    let slot = std::sync::Arc::new(std::sync::Mutex::new(None));
    let filled = slot.clone();
    seam.blocking(Box::new(move || {
        *filled.lock().expect("job panicked") = Some(job())
    }))
    .await;
    let value = slot.lock().expect("job panicked").take();
    value.expect("the job ran to its end")
}

const ID_DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Nine random base-36 characters: the form of ids that clients and the reference use (contract 2.1).
pub fn short_id(clock: &dyn Clock) -> String {
    let mut random = clock.random_u64();
    (0..9)
        .map(|_| {
            let digit = ID_DIGITS[(random % 36) as usize] as char;
            random /= 36;
            digit
        })
        .collect()
}
