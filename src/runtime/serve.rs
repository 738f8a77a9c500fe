//! The whole server: opens the data, starts the shards, waits for the end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::thread::CpuSet;

use crate::auth::bootstrap;
use crate::auth::password::Cost;
use crate::command::locks::KeyLocks;
use crate::config::{Driver, Settings};
use crate::error::{Error, Result};
use crate::limits;
use crate::seam::SharedSeam;
use crate::session::registry::Gauges;
use crate::store::embedded::{EmbeddedStore, OpenOptions};
use crate::transport::Pages;
use crate::transport::listen::Listener;

use super::mesh::{Mail, Mesh};
use super::preflight;
use super::seam::{ShardSeam, SystemClock, panic_text};
use super::shard::{self, Plan};
use super::signals;
use super::status::ServerStatus;

/// How often the main thread looks whether the ledger still runs.
const LEDGER_CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// What the main thread waits for.
pub enum Event {
    Ready,
    Signal(i32),
    /// A shard ended, or could not start.
    Ended(usize, Result<(), String>),
}

/// What the command line adds to the server: its pages and its banner.
pub struct Outside {
    pub pages: fn(Arc<ServerStatus>, Arc<Settings>) -> Rc<dyn Pages>,
    pub banner: fn(&ServerStatus, &Started),
}

/// Told once, when the server serves.
pub struct Started {
    pub shards: usize,
    /// Why the driver is not the one wished for.
    pub driver_note: Option<String>,
    /// Root's password, on the first start, when it was generated.
    pub root_password: Option<String>,
}

/// Serves until SIGTERM or SIGINT, then drains. Errors name the remedy.
pub fn run(settings: Arc<Settings>, outside: Outside) -> Result<()> {
    let (driver, driver_note) = preflight::choose_driver(settings.driver)?;
    let listeners = bind(&settings)?;
    let clock = SystemClock::start();
    let options = OpenOptions {
        map_bytes_max: limits::MAP_BYTES_MAX,
        clock: clock.clone(),
    };
    let store = EmbeddedStore::open(&settings.data, options)?;
    let root_password = prepare(driver, &settings, &clock, &store)?;
    let secret = bootstrap::secret(&settings.data, &settings, &*clock)?;
    let shards = preflight::shard_count(&settings);
    let gauges: Vec<Arc<Gauges>> = (0..shards).map(|_| Arc::default()).collect();
    let (pipes, addresses) = listeners
        .iter()
        .partition::<Vec<_>, _>(|listener| matches!(listener, Listener::Pipe(..)));
    let names = |listeners: Vec<&Listener>| {
        listeners
            .iter()
            .map(|listener| listener.address())
            .collect()
    };
    let status = ServerStatus::new(
        driver.name(),
        names(addresses),
        names(pipes),
        settings.data.clone(),
        gauges,
    );
    let (events, event) = channel();
    signals::forward(events.clone())?;
    let started = Started {
        shards,
        driver_note,
        root_password,
    };
    let base = Base {
        driver,
        settings,
        secret: secret.into(),
        locks: Arc::default(),
        clock,
        store: store.clone(),
        status,
        outside,
    };
    let (mesh, threads) = base.start_shards(shards, listeners, &events)?;
    let ended = watch(&event, shards, &mesh, &base, &started);
    for thread in threads {
        // Its end was told by an event; a panic was caught inside.
        thread.join().ok();
    }
    for pipe in &base.status.pipes {
        std::fs::remove_file(pipe).ok();
    }
    store.close();
    ended
}

struct Base {
    driver: Driver,
    settings: Arc<Settings>,
    secret: Arc<str>,
    locks: Arc<KeyLocks>,
    clock: Arc<SystemClock>,
    store: EmbeddedStore,
    status: Arc<ServerStatus>,
    outside: Outside,
}

impl Base {
    fn start_shards(
        &self,
        shards: usize,
        listeners: Vec<Listener>,
        events: &Sender<Event>,
    ) -> Result<(Mesh, Vec<JoinHandle<()>>)> {
        let (mesh, inboxes) = Mesh::new(shards);
        let cores = allowed_cores();
        let mut listeners = Some(listeners);
        let mut threads = Vec::new();
        for (shard, inbox) in inboxes.into_iter().enumerate() {
            let plan = Plan {
                shard,
                // With more shards than cores, pinning would only pile them up.
                core: nth_core(&cores, shard).filter(|_| shards <= cores.count() as usize),
                cores,
                driver: self.driver,
                settings: self.settings.clone(),
                secret: self.secret.clone(),
                locks: self.locks.clone(),
                clock: self.clock.clone(),
                store: self.store.clone(),
                mesh: mesh.clone(),
                inbox,
                status: self.status.clone(),
                listeners: listeners.take().unwrap_or_default(),
                pages: self.outside.pages,
            };
            threads.push(start_shard(plan, events.clone())?);
        }
        Ok((mesh, threads))
    }
}

fn start_shard(plan: Plan, events: Sender<Event>) -> Result<JoinHandle<()>> {
    let shard = plan.shard;
    let body = move || {
        let ready = events.clone();
        let result = catch_unwind(AssertUnwindSafe(|| {
            shard::run(plan, move || drop(ready.send(Event::Ready)))
        }));
        let result = match result {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(panic) => Err(format!("it panicked: {}", panic_text(&*panic))),
        };
        events.send(Event::Ended(shard, result)).ok();
    };
    let builder = thread::Builder::new().name(format!("shard-{shard}"));
    builder
        .spawn(body)
        .map_err(|error| Error::internal(format!("shard {shard} cannot start")).because(error))
}

/// Waits for the shards, then for a signal, then for the drain.
fn watch(
    event: &Receiver<Event>,
    shards: usize,
    mesh: &Mesh,
    base: &Base,
    started: &Started,
) -> Result<()> {
    let (mut ready, mut ended, mut draining) = (0, 0, false);
    let mut outcome = Ok(());
    while ended < shards {
        let event = match event.recv_timeout(LEDGER_CHECK_INTERVAL) {
            Ok(event) => event,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                // Writes fail for ever once the ledger is gone: better to stop, and say why.
                if let Some(reason) = base.store.failure().filter(|_| !draining) {
                    tracing::error!("the ledger failed, the server stops: {reason}");
                    outcome = Err(Error::internal(format!("the ledger failed: {reason}")));
                    drain(mesh, &base.status);
                    draining = true;
                }
                continue;
            }
        };
        match event {
            Event::Ready => {
                ready += 1;
                if ready == shards {
                    (base.outside.banner)(&base.status, started);
                }
            }
            Event::Signal(signal) if draining => {
                tracing::warn!(signal, "second signal: stopping at once");
                std::process::exit(130);
            }
            Event::Signal(signal) => {
                tracing::info!(signal, "draining: finishing what is in flight");
                draining = true;
                drain(mesh, &base.status);
            }
            Event::Ended(shard, result) => {
                ended += 1;
                if let Err(reason) = result {
                    tracing::error!(shard, "a shard failed, the server stops: {reason}");
                    outcome = Err(Error::internal(format!("shard {shard} failed: {reason}")));
                    drain(mesh, &base.status);
                    draining = true;
                }
            }
        }
    }
    outcome
}

fn drain(mesh: &Mesh, status: &ServerStatus) {
    status.drain();
    for shard in 0..mesh.shards() {
        // A full lane means the shard reads it soon; a dead shard has no one to read.
        let mut mail = Mail::Drain;
        for _ in 0..1_000 {
            match mesh.send(shard, 3, mail) {
                Ok(()) => break,
                Err(back) => mail = back,
            }
            thread::yield_now();
        }
    }
}

fn bind(settings: &Settings) -> Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for address in &settings.listen {
        listeners.push(Listener::tcp(*address)?);
    }
    for name in &settings.pipes {
        listeners.push(Listener::pipe(name)?);
    }
    Ok(listeners)
}

/// Well-known users and roles, before any door opens. Returns root's password when it was generated.
fn prepare(
    driver: Driver,
    settings: &Settings,
    clock: &Arc<SystemClock>,
    store: &EmbeddedStore,
) -> Result<Option<String>> {
    let refused = |error| Error::internal("the I/O driver cannot start").because(error);
    let runtime = shard::runtime(driver, None).map_err(refused)?;
    runtime.block_on(async {
        let seam: SharedSeam = ShardSeam::new(clock.clone(), None, allowed_cores());
        let handle = store.handle(seam.clone());
        bootstrap::prepare(&handle, &*seam, settings, Cost::default()).await
    })
}

/// The cores this process may run on.
fn allowed_cores() -> CpuSet {
    rustix::thread::sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new())
}

/// The n-th core this process may run on.
fn nth_core(cores: &CpuSet, index: usize) -> Option<usize> {
    (0..CpuSet::MAX_CPU)
        .filter(|core| cores.is_set(*core))
        .nth(index)
}
