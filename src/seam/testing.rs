//! A seam for tests: one thread, a clock that tests move, chance from a seed.
//!
//! Sleeps are virtual. Tasks of other threads (a store's writer) are waited for in
//! real time; only when nothing has happened for [`REAL_WAIT`] does the clock jump to
//! the next sleeper.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::{Clock, LocalFuture, Seam, Ticks};

/// How long to wait for other threads before virtual time moves.
const REAL_WAIT: Duration = Duration::from_millis(20);

/// The clock of a [`TestSeam`]; also given to what runs on other threads.
#[derive(Debug)]
pub struct TestClock {
    unix_ms: AtomicI64,
    random: AtomicU64,
}

impl TestClock {
    /// Starts at an arbitrary date in 2023.
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            unix_ms: AtomicI64::new(1_700_000_000_000),
            random: AtomicU64::new(seed),
        })
    }

    pub fn set_unix_ms(&self, unix_ms: i64) {
        self.unix_ms.store(unix_ms, Ordering::Relaxed);
    }

    pub fn advance(&self, duration: Duration) {
        self.unix_ms
            .fetch_add(duration.as_millis() as i64, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Ticks {
        Ticks(self.unix_ms().unsigned_abs() * 1_000_000)
    }

    fn unix_ms(&self) -> i64 {
        self.unix_ms.load(Ordering::Relaxed)
    }

    /// SplitMix64.
    fn random_u64(&self) -> u64 {
        let state = self
            .random
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// A seam and its executor.
pub struct TestSeam {
    pub time: Arc<TestClock>,
    spawned: RefCell<VecDeque<LocalFuture<()>>>,
    sleepers: Rc<RefCell<Vec<(Ticks, Waker)>>>,
    blocking_jobs: Cell<usize>,
}

impl TestSeam {
    pub fn new() -> Rc<Self> {
        Self::with_clock(TestClock::new(1))
    }

    /// Several seams, as of several shards, may share a clock.
    pub fn with_clock(time: Arc<TestClock>) -> Rc<Self> {
        Rc::new(Self {
            time,
            spawned: RefCell::default(),
            sleepers: Rc::default(),
            blocking_jobs: Cell::new(0),
        })
    }

    /// Blocking jobs run so far.
    pub fn blocking_jobs(&self) -> usize {
        self.blocking_jobs.get()
    }

    /// Runs `main` to its end, and what it spawns beside it.
    pub fn block_on<T>(&self, main: impl Future<Output = T>) -> T {
        let thread = Arc::new(Unpark(std::thread::current()));
        let waker = Waker::from(thread);
        let mut context = Context::from_waker(&waker);
        let mut main = pin!(main);
        loop {
            if let Poll::Ready(value) = main.as_mut().poll(&mut context) {
                return value;
            }
            let ran = self.run_spawned(&mut context);
            if !ran {
                self.wait();
            }
        }
    }

    /// Polls every spawned task once; whether a new one appeared meanwhile.
    fn run_spawned(&self, context: &mut Context<'_>) -> bool {
        let tasks = std::mem::take(&mut *self.spawned.borrow_mut());
        let mut pending: VecDeque<_> = tasks
            .into_iter()
            .filter_map(|mut task| task.as_mut().poll(context).is_pending().then_some(task))
            .collect();
        let mut spawned = self.spawned.borrow_mut();
        let fresh = !spawned.is_empty();
        pending.append(&mut spawned);
        *spawned = pending;
        fresh
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "tells real time, spent on other threads, from the virtual"
    )]
    fn wait(&self) {
        let before = std::time::Instant::now();
        std::thread::park_timeout(REAL_WAIT);
        if before.elapsed() < REAL_WAIT {
            return;
        }
        let sleepers = std::mem::take(&mut *self.sleepers.borrow_mut());
        let Some(next) = sleepers.iter().map(|(due, _)| *due).min() else {
            return;
        };
        self.time.advance(next.since(self.time.now()));
        sleepers.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Seam for TestSeam {
    fn clock(&self) -> &dyn Clock {
        &*self.time
    }

    fn sleep(&self, duration: Duration) -> LocalFuture<()> {
        let due = self.time.now().plus(duration);
        // The future may outlive the borrow of the seam, so it shares clock and list.
        let (time, sleepers) = (self.time.clone(), self.sleepers.clone());
        Box::pin(poll_fn(move |context| {
            if time.now() >= due {
                return Poll::Ready(());
            }
            sleepers.borrow_mut().push((due, context.waker().clone()));
            Poll::Pending
        }))
    }

    fn yield_now(&self) -> LocalFuture<()> {
        let mut yielded = false;
        Box::pin(poll_fn(move |context| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    fn spawn(&self, _name: &'static str, task: LocalFuture<()>) {
        self.spawned.borrow_mut().push_back(task);
    }

    fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> LocalFuture<()> {
        self.blocking_jobs.set(self.blocking_jobs.get() + 1);
        Box::pin(async move { job() })
    }
}
