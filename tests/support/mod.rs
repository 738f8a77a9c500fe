//! A seam for tests: one thread, real time, tasks on a local pool.
#![allow(dead_code)] // each test binary uses its part

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use opencore::seam::{Clock, LocalFuture, Seam, SharedSeam, Ticks};

pub struct TestClock {
    start: Instant,
    random: AtomicU64,
}

impl TestClock {
    pub fn shared() -> Arc<dyn Clock> {
        Arc::new(Self {
            start: Instant::now(),
            random: AtomicU64::new(1),
        })
    }
}

impl Clock for TestClock {
    fn now(&self) -> Ticks {
        Ticks(self.start.elapsed().as_nanos() as u64)
    }

    fn unix_ms(&self) -> i64 {
        1_700_000_000_000 + self.start.elapsed().as_millis() as i64
    }

    fn random_u64(&self) -> u64 {
        // A Weyl sequence through a mixer: distinct values, the same in every run.
        let step = self
            .random
            .fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        (step ^ (step >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    }
}

pub mod embedded;

type Tasks = Rc<RefCell<Vec<LocalFuture<()>>>>;

/// Hands tasks to the [`Pool`] that made it.
pub struct TestSeam {
    clock: Arc<dyn Clock>,
    spawned: Tasks,
}

impl Seam for TestSeam {
    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    fn sleep(&self, duration: Duration) -> LocalFuture<()> {
        let end = Instant::now() + duration;
        Box::pin(std::future::poll_fn(move |context| {
            if Instant::now() >= end {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }))
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

    fn spawn(&self, _name: &'static str, task: LocalFuture<()>) {
        self.spawned.borrow_mut().push(task);
    }

    fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> LocalFuture<()> {
        job();
        Box::pin(std::future::ready(()))
    }
}

/// Runs futures together with the tasks spawned through its seam.
#[derive(Default)]
pub struct Pool {
    spawned: Tasks,
    running: RefCell<FuturesUnordered<LocalFuture<()>>>,
}

impl Pool {
    pub fn seam(&self) -> SharedSeam {
        Rc::new(TestSeam {
            clock: TestClock::shared(),
            spawned: self.spawned.clone(),
        })
    }

    /// Runs `future` to its end on this thread.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        let both = std::future::poll_fn(|context: &mut Context<'_>| {
            self.poll_tasks(context);
            let polled = future.as_mut().poll(context);
            self.poll_tasks(context);
            polled
        });
        block_on(both)
    }

    fn poll_tasks(&self, context: &mut Context<'_>) {
        let mut running = self.running.borrow_mut();
        running.extend(self.spawned.borrow_mut().drain(..));
        while let Poll::Ready(Some(())) = running.poll_next_unpin(context) {}
    }
}

struct Unpark(std::thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::park();
    }
}
