//! The seam as production has it: the system's clock and randomness, compio's timers
//! and tasks.

#![expect(
    clippy::disallowed_methods,
    reason = "the one place behind the seam: what all others ask it for is had here"
)]

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::thread::CpuSet;

use crate::dispatch::StallReporter;
use crate::limits;
use crate::seam::{Clock, LocalFuture, Seam, Ticks};
use crate::session::budget::Budget;

/// The system's clock and randomness.
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    pub fn start() -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
        })
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Ticks {
        Ticks(self.started.elapsed().as_nanos() as u64)
    }

    fn unix_ms(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as i64)
    }

    fn random_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        // Linux refuses randomness only before its pool is ready, long before a server starts.
        getrandom::fill(&mut bytes).expect("the system has randomness");
        u64::from_ne_bytes(bytes)
    }
}

/// One shard's seam. Tasks are watched for stalls when a reporter is given.
pub struct ShardSeam {
    clock: Arc<SystemClock>,
    stalls: Option<StallReporter>,
    blocking_jobs: Rc<Budget>,
    /// Where the process may run: blocking jobs are not pinned.
    cores: CpuSet,
    failure: Failure,
}

/// Why the shard cannot go on: the first task that panicked. Handlers catch their own
/// panics; what reaches this has broken the state of the shard.
pub type Failure = Rc<RefCell<Option<String>>>;

impl ShardSeam {
    /// `cores`: what the process may run on, read before any thread was pinned.
    pub fn new(clock: Arc<SystemClock>, stalls: Option<StallReporter>, cores: CpuSet) -> Rc<Self> {
        Rc::new(Self {
            cores,
            clock,
            stalls,
            blocking_jobs: Budget::new(limits::BLOCKING_JOBS_MAX),
            failure: Rc::default(),
        })
    }
}

impl ShardSeam {
    pub fn failure(&self) -> Failure {
        self.failure.clone()
    }
}

impl Seam for ShardSeam {
    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    fn sleep(&self, duration: Duration) -> LocalFuture<()> {
        Box::pin(compio::time::sleep(duration))
    }

    fn yield_now(&self) -> LocalFuture<()> {
        let mut yielded = false;
        Box::pin(std::future::poll_fn(move |context| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    fn spawn(&self, name: &'static str, task: LocalFuture<()>) {
        match &self.stalls {
            Some(stalls) => compio::runtime::spawn(Watched {
                name,
                task,
                stalls: stalls.clone(),
                failure: self.failure.clone(),
            })
            .detach(),
            None => compio::runtime::spawn(task).detach(),
        }
    }

    fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> LocalFuture<()> {
        let running = self.blocking_jobs.clone();
        let cores = self.cores;
        let job = move || {
            // Threads inherit the pin of the shard that starts them; a password hash there would
            // hold up every client of the shard.
            rustix::thread::sched_setaffinity(None, &cores).ok();
            // A panic must not take the thread along, or whoever waits would wait for ever.
            drop(catch_unwind(AssertUnwindSafe(job)));
        };
        Box::pin(async move {
            let _turn = running.take(1).await;
            if compio::runtime::spawn_blocking(job).await.is_err() {
                tracing::error!("a blocking job panicked");
            }
        })
    }
}

/// A task whose polls are measured.
struct Watched {
    name: &'static str,
    task: LocalFuture<()>,
    stalls: StallReporter,
    failure: Failure,
}

impl Future for Watched {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let task = this.task.as_mut();
        let poll = AssertUnwindSafe(|| task.poll(context));
        let (polled, _) = this
            .stalls
            .watch(this.name, this.stalls.now(), || catch_unwind(poll));
        polled.unwrap_or_else(|panic| {
            let text = panic_text(&*panic);
            this.failure
                .borrow_mut()
                .get_or_insert(format!("task {:?} panicked: {text}", this.name));
            Poll::Ready(())
        })
    }
}

/// What a panic said.
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}
