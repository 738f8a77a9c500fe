//! One request: look up, admit, authenticate, call, account, reply.
//!
//! A door hands in complete envelopes with [`Dispatcher::submit`]. While the shard
//! keeps up, a request runs at once, inside the read that brought it, and its reply
//! joins the batch of that read. When it does not keep up, requests wait in four
//! lanes by Envelope.priority and are picked by weight ([`queue`]).

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;

use crate::command::{self, Command, Services};
use crate::error::{Error, Result};
use crate::limits;
use crate::seam::Ticks;
use crate::session::budget::{Budget, Permit};
use crate::session::registry::{Gauges, Registry};
use crate::session::{Door, Session};
use crate::wire::envelope::Head;
use crate::wire::names::lower;

mod queue;
mod renew;
mod run;
mod stall;
#[cfg(test)]
mod tests;

pub use queue::RunQueue;
pub use stall::StallReporter;

/// Runs the requests of one shard.
pub struct Dispatcher {
    pub services: Rc<Services>,
    pub registry: Rc<Registry>,
    pub budget: Rc<Budget>,
    pub stalls: StallReporter,
    queue: RunQueue,
    turn_left: Cell<usize>,
    draining: Cell<bool>,
    /// The time, read once per turn and after every request that took a while: a clock
    /// read costs a tenth of a small request.
    now: Cell<Ticks>,
    turn_started: Cell<Ticks>,
}

/// A request on its way: everything it needs to run later.
pub struct Job {
    session: Rc<Session>,
    frame: Bytes,
    command: Option<&'static Command>,
    /// The connection token when the request came: a later sign-in does not change it.
    token: Option<Rc<str>>,
    priority: u8,
    barrier: bool,
    _permit: Permit,
}

impl Dispatcher {
    pub fn new(services: Rc<Services>, registry: Rc<Registry>, stalls: StallReporter) -> Rc<Self> {
        let now = services.seam.clock().now();
        Rc::new(Self {
            services,
            registry,
            budget: Budget::new(limits::SHARD_REQUEST_BYTES_MAX),
            stalls,
            queue: RunQueue::default(),
            turn_left: Cell::new(limits::TURN_REQUESTS_MAX),
            draining: Cell::new(false),
            now: Cell::new(now),
            turn_started: Cell::new(now),
        })
    }

    /// A new session of this shard; doors of streams greet it with a ping (contract 1.5).
    pub fn open(&self, door: Door, remote: String) -> Rc<Session> {
        let clock = self.services.seam.clock();
        let session = Session::new(
            self.registry.fresh_id(),
            door,
            remote,
            clock.now(),
            clock.random_u64(),
        );
        self.registry.insert(session.clone());
        if door != Door::Rest {
            session.send_ping(clock.now());
        }
        session
    }

    /// Takes one envelope of a session, with the permit for its bytes where the door took one
    /// before it read them. Waits while the session, its outbox or the shard's memory has
    /// no room: the door then reads no further.
    ///
    /// Errors: bytes that are no envelope, or a sequence number that breaks the rules
    /// of the door (contract 1.3); the door answers and closes.
    pub async fn submit(
        self: &Rc<Self>,
        session: &Rc<Session>,
        frame: Bytes,
        permit: Option<Permit>,
    ) -> Result<()> {
        let head = Head::scan(&frame)?;
        session.touch(self.now.get());
        let in_turn = session.sequencer.borrow_mut().in_turn(head.seq);
        if in_turn {
            let mut permit = permit;
            if !self.accept_now(session, &frame, &head, &mut permit) {
                self.accept_later(session, &frame, &head, permit).await;
            }
            return Ok(());
        }
        // What comes early is parked, and what follows it is taken up: the rare way.
        let permit = match permit {
            Some(permit) => permit,
            None => self.budget.take(frame.len()).await,
        };
        let mut ready = session
            .sequencer
            .borrow_mut()
            .offer(head.seq, frame.clone())?;
        session.park(permit);
        while let Some(frame) = ready {
            let head = Head::scan(&frame)?;
            self.accept_later(session, &frame, &head, None).await;
            ready = session.sequencer.borrow_mut().next();
        }
        if session.sequencer.borrow().parked().0 == 0 {
            session.unpark();
        }
        Ok(())
    }

    /// Runs or queues an envelope whose turn has come, or returns false: there is no room.
    fn accept_now(
        self: &Rc<Self>,
        session: &Rc<Session>,
        frame: &Bytes,
        head: &Head<'_>,
        permit: &mut Option<Permit>,
    ) -> bool {
        // A reply or a stream part: consumed, never answered (contract 2.7).
        if !head.rid.is_empty() || self.draining.get() {
            return true;
        }
        let command = command::find(&lower(head.command));
        if command.is_some_and(|command| matches!(command.run, command::Run::Silent)) {
            return true;
        }
        if !session.may_begin() || session.outbox.over_since().is_some() {
            return false;
        }
        let inline = self.turn_left.get() > 0 && self.queue.is_empty() && self.turn_is_young();
        if inline {
            self.turn_left.set(self.turn_left.get() - 1);
            if let Some(command) = command
                && self.answer_at_once(session, command, frame, head)
            {
                return true;
            }
        }
        let Some(permit) = permit.take().or_else(|| self.budget.try_take(frame.len())) else {
            return false;
        };
        let job = Job {
            session: session.clone(),
            frame: frame.clone(),
            command,
            token: session.token(),
            priority: head.priority.clamp(0, limits::PRIORITY_LANES as i32 - 1) as u8,
            barrier: command.is_some_and(|command| command.barrier),
            _permit: permit,
        };
        session.begin(job.barrier);
        if inline {
            self.start(job, head);
        } else {
            self.queue.push(job);
        }
        true
    }

    /// As [`Dispatcher::accept_now`], once there is room.
    async fn accept_later(
        self: &Rc<Self>,
        session: &Rc<Session>,
        frame: &Bytes,
        head: &Head<'_>,
        permit: Option<Permit>,
    ) {
        let mut permit = match permit {
            Some(permit) => Some(permit),
            None => Some(self.budget.take(frame.len()).await),
        };
        loop {
            self.wait_for_room(session).await;
            if session.close_reason().is_some()
                || self.accept_now(session, frame, head, &mut permit)
            {
                return;
            }
        }
    }

    async fn wait_for_room(&self, session: &Rc<Session>) {
        session.outbox.room().await;
        poll_fn(|cx| {
            if session.may_begin() || session.close_reason().is_some() {
                return Poll::Ready(());
            }
            session.wait_with(cx.waker());
            Poll::Pending
        })
        .await
    }

    /// Reads the clock for what follows.
    pub fn tick(&self) -> Ticks {
        let now = self.services.seam.clock().now();
        self.now.set(now);
        now
    }

    /// A new turn of the shard's loop: runs what waits, by weight, within the turn's budget.
    /// Returns whether requests still wait.
    pub fn turn(self: &Rc<Self>) -> bool {
        self.turn_started.set(self.tick());
        let mut left = limits::TURN_REQUESTS_MAX;
        while left > 0 && self.turn_is_young() {
            let Some(job) = self.queue.pop() else { break };
            let frame = job.frame.clone();
            match Head::scan(&frame) {
                Ok(head) => self.start(job, &head),
                // It was scanned before it was queued.
                Err(_) => job.session.end(job.barrier),
            }
            left -= 1;
        }
        // Some of each turn is kept for fresh arrivals, or a full queue would never let a read run inline.
        self.turn_left.set(left.max(limits::TURN_REQUESTS_MAX / 8));
        !self.queue.is_empty()
    }

    /// A turn ends by time too: requests that take milliseconds must not keep the ring waiting.
    fn turn_is_young(&self) -> bool {
        self.now.get().since(self.turn_started.get()) < limits::TURN_TIME_MAX
    }

    /// From now on no request starts; those that run or wait are finished.
    pub fn drain(&self) {
        self.draining.set(true);
    }

    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Requests waiting in the lanes.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Whether no request of this shard waits or runs.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
            && self
                .registry
                .snapshot()
                .iter()
                .all(|session| session.in_flight() == 0)
    }

    fn count(&self, failed: bool) {
        Gauges::add(&self.registry.gauges.requests, 1);
        if failed {
            Gauges::add(&self.registry.gauges.errors, 1);
        }
    }

    /// Tells a session of a violation that ends it (contract 1.3: the connection closes).
    pub fn reject(&self, session: &Session, error: &Error) {
        self.count(true);
        run::send_error(session, self.services.seam.clock().now(), "", error);
    }
}
