//! A shard: one pinned thread, one ring, its sessions and its part of every service.
//!
//! The loop of a shard is a turn: requests that wait (by weight), tasks that are ready,
//! then the ring. At shutdown it stops accepting, lets requests in flight finish, flushes
//! outboxes, closes sessions with a reason and ends; the ledger is closed by the main
//! thread after all shards. If a shard panics the server stops as a whole: no client is
//! left on a dead shard.

use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use compio::driver::{DriverType, ProactorBuilder};
use compio::runtime::{Runtime, RuntimeBuilder};
use rustix::thread::CpuSet;

use crate::auth::Authority;
use crate::command::Services;
use crate::command::locks::KeyLocks;
use crate::config::{Driver, Settings};
use crate::dispatch::{Dispatcher, StallReporter};
use crate::error::{Error, Result};
use crate::limits;
use crate::seam::SharedSeam;
use crate::session::CloseReason;
use crate::session::liveness::Timers;
use crate::session::registry::{Gauges, Registry};
use crate::store::embedded::EmbeddedStore;
use crate::transport::listen::Listener;
use crate::transport::{self, Accepted, DoorContext, Pages};

use super::mesh::{Inbox, Mail, Mesh};
use super::placement::LeastConnections;

use super::seam::{Failure, ShardSeam, SystemClock};
use super::status::ServerStatus;
use super::sweep;

/// Everything a shard is made from; crosses to its thread.
pub struct Plan {
    pub shard: usize,
    pub core: Option<usize>,
    /// What the process may run on.
    pub cores: CpuSet,
    pub driver: Driver,
    pub settings: Arc<Settings>,
    pub secret: Arc<str>,
    pub locks: Arc<KeyLocks>,
    pub clock: Arc<SystemClock>,
    pub store: EmbeddedStore,
    pub mesh: Mesh,
    pub inbox: Inbox,
    pub status: Arc<ServerStatus>,
    /// Listening sockets: all on one shard, which deals connections to the others.
    pub listeners: Vec<Listener>,
    pub pages: fn(Arc<ServerStatus>, Arc<Settings>) -> Rc<dyn Pages>,
}

/// A runtime with its own ring.
pub fn runtime(driver: Driver, core: Option<usize>) -> std::io::Result<Runtime> {
    let mut proactor = ProactorBuilder::new();
    match driver {
        Driver::IoUring => proactor
            .driver_type(DriverType::IoUring)
            .single_issuer(true)
            .defer_taskrun(true),
        Driver::Epoll | Driver::Auto => proactor.driver_type(DriverType::Poll),
    };
    let mut builder = RuntimeBuilder::new();
    builder
        .with_proactor(proactor)
        .event_interval(limits::TURN_REQUESTS_MAX)
        .sync_queue_size(limits::INBOX_LANE_MESSAGES_MAX);
    if let Some(core) = core {
        builder.thread_affinity(HashSet::from([core]));
    }
    builder.build()
}

/// Runs a shard to the end of its drain. `ready` is called once it serves.
pub fn run(plan: Plan, ready: impl FnOnce()) -> Result<()> {
    let refused = |error| {
        Error::internal(format!("shard {} cannot start its I/O driver", plan.shard)).because(error)
    };
    let runtime = runtime(plan.driver, plan.core).map_err(refused)?;
    runtime.enter(|| {
        let shard = runtime.block_on(Shard::start(plan))?;
        ready();
        shard.turns(&runtime)
    })
}

struct Shard {
    dispatcher: Rc<Dispatcher>,
    ended: Rc<Cell<bool>>,
    failure: Failure,
}

impl Shard {
    async fn start(plan: Plan) -> Result<Self> {
        let gauges = plan.status.gauges[plan.shard].clone();
        let stalls = StallReporter::new(plan.shard, plan.clock.clone(), gauges.clone());
        let shard_seam = ShardSeam::new(plan.clock.clone(), Some(stalls.clone()), plan.cores);
        let failure = shard_seam.failure();
        let seam: SharedSeam = shard_seam;
        let store: Rc<dyn crate::store::DocumentStore> = Rc::new(plan.store.handle(seam.clone()));
        let authority = Rc::new(Authority::new(
            store.clone(),
            seam.clone(),
            plan.settings.clone(),
            &plan.secret,
        ));
        let services = Rc::new(Services {
            settings: plan.settings.clone(),
            seam: seam.clone(),
            store,
            authority,
            locks: plan.locks,
        });
        let dispatcher = Dispatcher::new(services, Registry::new(plan.shard, gauges), stalls);
        let doors = Rc::new(DoorContext {
            dispatcher: dispatcher.clone(),
            seam: seam.clone(),
            pages: (plan.pages)(plan.status.clone(), plan.settings.clone()),
            sniff_timeout: plan.settings.client_signin_timeout,
        });
        let timers = Timers {
            ping_interval: plan.settings.ping_clients_interval,
            heartbeat_timeout: plan.settings.client_heartbeat_timeout,
            signin_timeout: plan.settings.client_signin_timeout,
            slow_consumer_timeout: plan.settings.slow_consumer_timeout,
            renew_before: Duration::from_secs(60).min(plan.settings.shorttoken_expires_in / 2),
        };
        seam.spawn(
            "session sweep",
            Box::pin(sweep::run(dispatcher.clone(), timers)),
        );
        let ended = Rc::new(Cell::new(false));
        let accepting = listen(
            &seam,
            plan.listeners,
            plan.shard,
            plan.mesh,
            &plan.status,
            &doors,
        );
        let mail = read_mail(plan.inbox, doors, accepting, ended.clone());
        seam.spawn("shard inbox", Box::pin(mail));
        Ok(Self {
            dispatcher,
            ended,
            failure,
        })
    }

    fn turns(&self, runtime: &Runtime) -> Result<()> {
        while !self.ended.get() {
            self.dispatcher.turn();
            let tasks = runtime.run();
            if let Some(reason) = self.failure.borrow_mut().take() {
                return Err(Error::internal(reason));
            }
            if tasks || self.dispatcher.queued() > 0 {
                runtime.poll_with(Some(Duration::ZERO));
            } else {
                runtime.poll();
            }
        }
        // One more turn lets closing sockets leave the ring.
        runtime.run();
        runtime.poll_with(Some(Duration::ZERO));
        Ok(())
    }
}

/// Starts accepting on `listeners`; the flag returned stops it.
fn listen(
    seam: &SharedSeam,
    listeners: Vec<Listener>,
    own_shard: usize,
    mesh: Mesh,
    status: &ServerStatus,
    doors: &Rc<DoorContext>,
) -> Rc<Cell<bool>> {
    let accepting = Rc::new(Cell::new(true));
    let placement = LeastConnections::new(status.gauges.clone());
    let gauges = status.gauges.clone();
    let (doors, open) = (doors.clone(), accepting.clone());
    let deal: Rc<dyn Fn(Accepted)> = Rc::new(move |accepted| {
        if !open.get() {
            return;
        }
        let shard = placement.pick();
        if gauges[shard].connections.load(Ordering::Relaxed) > limits::SHARD_SESSIONS_MAX as u64 {
            return refuse(&gauges[shard], &accepted);
        }
        if shard == own_shard {
            return take(&doors, accepted);
        }
        if let Err(Mail::Connection(accepted)) = mesh.send(shard, 3, Mail::Connection(accepted)) {
            refuse(&gauges[shard], &accepted);
        }
    });
    for listener in listeners {
        let (deal, address) = (deal.clone(), listener.address());
        let own_seam = seam.clone();
        let accept = async move {
            if let Err(error) = listener.accept_all(&*own_seam, deal).await {
                tracing::error!(address, "accepting ended: {error}");
            }
        };
        seam.spawn("acceptor", Box::pin(accept));
    }
    accepting
}

fn refuse(gauges: &Gauges, accepted: &Accepted) {
    gauges.connections.fetch_sub(1, Ordering::Relaxed);
    gauges.count_close(CloseReason::TooManySessions);
    let limit = limits::SHARD_SESSIONS_MAX;
    tracing::warn!(
        remote = accepted.remote,
        "connection refused: a shard holds at most {limit}; start more shards"
    );
}

fn take(doors: &Rc<DoorContext>, accepted: Accepted) {
    doors.seam.spawn(
        "connection",
        Box::pin(transport::serve(doors.clone(), accepted)),
    );
}

async fn read_mail(
    mut inbox: Inbox,
    doors: Rc<DoorContext>,
    accepting: Rc<Cell<bool>>,
    ended: Rc<Cell<bool>>,
) {
    while let Some(mail) = inbox.recv().await {
        match mail {
            Mail::Connection(accepted) => take(&doors, accepted),
            Mail::Drain => {
                accepting.set(false);
                drain(&doors).await;
                ended.set(true);
                return;
            }
        }
    }
}

/// Finishes what is in flight, flushes, closes every session with its reason.
async fn drain(doors: &DoorContext) {
    let dispatcher = &doors.dispatcher;
    dispatcher.drain();
    let clock = doors.seam.clock();
    let deadline = clock.now().plus(limits::DRAIN_TIMEOUT);
    while !dispatcher.is_idle() && clock.now() < deadline {
        doors.seam.sleep(Duration::from_millis(2)).await;
    }
    while !dispatcher.registry.is_empty() && clock.now() < deadline {
        // Also those that opened meanwhile.
        for session in dispatcher.registry.snapshot() {
            session.close(CloseReason::Drain);
        }
        doors.seam.sleep(Duration::from_millis(2)).await;
    }
    let left = dispatcher.registry.len();
    if left > 0 {
        tracing::warn!(
            sessions = left,
            "drain: these sessions did not take their last replies in time and are cut"
        );
        dispatcher
            .registry
            .snapshot()
            .iter()
            .for_each(|session| session.cut());
    }
}
