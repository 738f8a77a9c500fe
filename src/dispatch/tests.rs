//! Handlers that misbehave, floods and barriers, on a real store with a clock of the test's.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use prost::Message;

use super::{Dispatcher, Job, StallReporter};
use crate::command::testing::{ROOT_PASSWORD, World};
use crate::command::{self, Access, Command, Family, Repeat, Reply, ReplyFuture, Request, Run};
use crate::error::Result;
use crate::limits::{SHARD_REQUEST_BYTES_MAX, TASK_BUDGET};
use crate::seam::testing::TestClock;
use crate::session::registry::{Gauges, Registry};
use crate::session::{Door, Session};
use crate::wire::envelope::{Head, Outgoing, write_reply};
use crate::wire::frame::FrameDecoder;
use crate::wire::proto::{Envelope, ErrorResponse, GetElementRequest, SigninRequest};

thread_local! {
    /// What the handlers of these tests reach, which are plain functions.
    static CLOCK: RefCell<Option<Arc<TestClock>>> = const { RefCell::new(None) };
    static GATE: RefCell<Gate> = const { RefCell::new(Gate { open: false, waiting: None }) };
}

struct Gate {
    open: bool,
    waiting: Option<Waker>,
}

fn open_gate() {
    GATE.with_borrow_mut(|gate| {
        gate.open = true;
        gate.waiting.take().into_iter().for_each(Waker::wake);
    });
}

async fn gate() {
    poll_fn(|context| {
        GATE.with_borrow_mut(|gate| {
            if gate.open {
                return Poll::Ready(());
            }
            gate.waiting = Some(context.waker().clone());
            Poll::Pending
        })
    })
    .await
}

fn empty() -> Result<Reply> {
    Ok(Reply {
        message: "Noop",
        body: Bytes::new(),
    })
}

fn panics_on_the_spot(_: &[u8]) -> Result<Reply> {
    panic!("a defect on the spot")
}

fn panics_before_it_waits(_: Request) -> ReplyFuture {
    panic!("a defect before any future")
}

fn panics_after_it_waited(request: Request) -> ReplyFuture {
    Box::pin(async move {
        request.services.seam.yield_now().await;
        panic!("a defect in {}", "a task of its own")
    })
}

fn holds_the_core(_: Request) -> ReplyFuture {
    Box::pin(async {
        CLOCK.with_borrow(|clock| {
            let clock = clock.as_ref().expect("the clock is given");
            clock.advance(Duration::from_millis(50));
        });
        empty()
    })
}

fn keeps_its_budget(_: Request) -> ReplyFuture {
    Box::pin(async {
        CLOCK.with_borrow(|clock| {
            let clock = clock.as_ref().expect("the clock is given");
            clock.advance(TASK_BUDGET);
        });
        empty()
    })
}

fn waits_at_the_gate(_: Request) -> ReplyFuture {
    Box::pin(async {
        gate().await;
        empty()
    })
}

const fn command(name: &'static str, barrier: bool, run: Run) -> Command {
    Command {
        name,
        request: "Noop",
        reply_command: None,
        family: Family::Transport,
        access: Access::Anyone,
        repeat: Repeat::Safe,
        barrier,
        run,
    }
}

static PANICS_ON_THE_SPOT: Command = command("panicsnow", false, Run::Now(panics_on_the_spot));
static PANICS_BEFORE: Command = command("panicsbefore", true, Run::Later(panics_before_it_waits));
static PANICS_AFTER: Command = command("panicsafter", true, Run::Later(panics_after_it_waited));
static HOLDS: Command = command("holds", false, Run::Later(holds_the_core));
static KEEPS: Command = command("keeps", false, Run::Later(keeps_its_budget));
static WAITS: Command = command("waits", true, Run::Later(waits_at_the_gate));

/// One shard's dispatcher and one session on it.
struct Shard {
    world: World,
    dispatcher: Rc<Dispatcher>,
    session: Rc<Session>,
}

impl Shard {
    fn new() -> Self {
        let world = World::new();
        let clock = world.seam.time.clone();
        CLOCK.with_borrow_mut(|shared| *shared = Some(clock.clone()));
        GATE.with_borrow_mut(|gate| gate.open = false);
        let gauges = Arc::new(Gauges::default());
        let stalls = StallReporter::new(0, clock, gauges.clone());
        let registry = Registry::new(0, gauges);
        let dispatcher = Dispatcher::new(world.services.clone(), registry, stalls);
        // A door whose messages need no numbers, and whose first one is the server's ping.
        let session = dispatcher.open(Door::Grpc, "10.0.0.1".into());
        let shard = Self {
            world,
            dispatcher,
            session,
        };
        assert_eq!(shard.replies().len(), 1, "the ping of the greeting");
        shard
    }

    /// Starts a request of a command that is in no table, as `accept_now` starts others.
    fn start(&self, command: &'static Command, id: &str) {
        let frame = frame(command.name, id, 0, &[]);
        let head = Head::scan(&frame).expect("an envelope");
        let permit = self.dispatcher.budget.try_take(frame.len());
        let job = Job {
            session: self.session.clone(),
            frame: frame.clone(),
            command: Some(command),
            token: self.session.token(),
            priority: 0,
            barrier: command.barrier,
            _permit: permit.expect("there is room"),
        };
        self.session.begin(job.barrier);
        self.dispatcher.start(job, &head);
    }

    fn submit(&self, frame: Bytes) {
        let submitted = self.dispatcher.submit(&self.session, frame, None);
        let submitted = self.world.seam.block_on(submitted);
        submitted.expect("an envelope in its turn");
    }

    /// Runs until no request of the session is left.
    fn settle(&self) {
        self.world.seam.block_on(self.session.quiet());
    }

    /// What was sent to the session since the last call.
    fn replies(&self) -> Vec<Envelope> {
        let mut buffer = BytesMut::new();
        while let Some(Some(batch)) = self.session.outbox.next_batch().now_or_never() {
            for segment in batch {
                self.session
                    .outbox
                    .wrote(self.dispatcher.tick(), segment.len());
                buffer.extend_from_slice(&segment);
            }
        }
        let mut decoder = FrameDecoder::grpc();
        let frames = std::iter::from_fn(|| decoder.next(&mut buffer).expect("whole frames"));
        frames
            .map(|frame| Envelope::decode(frame).expect("an envelope"))
            .collect()
    }

    /// Nothing of a request is left: not its place, not its bytes.
    fn assert_idle(&self) {
        assert_eq!(self.session.in_flight(), 0);
        assert!(self.dispatcher.is_idle());
        let free = self.dispatcher.budget.free_bytes();
        assert_eq!(free, SHARD_REQUEST_BYTES_MAX);
    }

    fn stalls(&self) -> u64 {
        self.dispatcher
            .registry
            .gauges
            .stalls
            .load(Ordering::Relaxed)
    }
}

fn frame(command: &str, id: &str, priority: i32, body: &[u8]) -> Bytes {
    let parts = Outgoing {
        command,
        id,
        priority,
        body_len: body.len(),
        ..Outgoing::default()
    };
    let mut frame = Vec::new();
    write_reply(&mut frame, &parts);
    frame.extend_from_slice(body);
    frame.into()
}

/// A request that is answered with what it brings.
fn get_element(id: &str, priority: i32) -> Bytes {
    let message = GetElementRequest {
        xpath: "/here".into(),
    };
    frame("getelement", id, priority, &message.encode_to_vec())
}

/// The command and the request of each message.
fn names(replies: &[Envelope]) -> Vec<(&str, &str)> {
    replies
        .iter()
        .map(|reply| (reply.command.as_str(), reply.rid.as_str()))
        .collect()
}

#[test]
fn a_panic_is_answered_and_the_session_lives() {
    for command in [&PANICS_ON_THE_SPOT, &PANICS_BEFORE, &PANICS_AFTER] {
        let shard = Shard::new();
        shard.start(command, "bad");
        shard.settle();
        let replies = shard.replies();
        assert_eq!(names(&replies), [("error", "bad")], "{}", command.name);
        let body = replies[0].data.clone().expect("a body").value;
        let said = ErrorResponse::decode(&*body).expect("an ErrorResponse");
        assert!(said.message.contains("failed while handling"), "{said:?}");
        assert!(!said.message.contains("defect"), "the cause is for the log");
        shard.assert_idle();

        shard.submit(get_element("next", 0));
        assert_eq!(names(&shard.replies()), [("getelement", "next")]);
        assert_eq!(shard.session.close_reason(), None);
        shard.assert_idle();
        let gauges = &shard.dispatcher.registry.gauges;
        assert_eq!(gauges.requests.load(Ordering::Relaxed), 2);
        assert_eq!(gauges.errors.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn a_panic_after_a_wait_holds_its_bytes_until_then() {
    let shard = Shard::new();
    shard.start(&PANICS_AFTER, "bad");
    assert_eq!(shard.session.in_flight(), 1);
    assert!(!shard.session.may_begin(), "it is a barrier");
    assert!(shard.dispatcher.budget.free_bytes() < SHARD_REQUEST_BYTES_MAX);
    assert!(shard.replies().is_empty());
    shard.settle();
    assert_eq!(names(&shard.replies()), [("error", "bad")]);
    assert!(shard.session.may_begin(), "the barrier is gone");
    shard.assert_idle();
}

#[test]
fn who_holds_the_core_is_reported_once() {
    let shard = Shard::new();
    shard.start(&KEEPS, "short");
    assert_eq!(shard.stalls(), 0, "within its budget");
    shard.start(&HOLDS, "long");
    assert_eq!(shard.stalls(), 1);
    // The time was read anew: who comes next is not blamed for it.
    shard.start(&KEEPS, "after");
    assert_eq!(shard.stalls(), 1);
    let expected = ["short", "long", "after"];
    let replies = shard.replies();
    assert!(replies.iter().map(|reply| &*reply.rid).eq(expected));
    shard.assert_idle();
}

#[test]
fn a_high_priority_passes_a_full_queue() {
    let shard = Shard::new();
    // The turn is used up: what comes now waits.
    shard.dispatcher.turn_left.set(0);
    for number in 0..500 {
        shard.submit(get_element(&format!("low {number}"), 0));
    }
    shard.submit(get_element("high", 2));
    assert_eq!(shard.dispatcher.queued(), 501);
    assert!(shard.replies().is_empty(), "nothing runs before the turn");

    assert!(!shard.dispatcher.turn(), "one turn is enough for all");
    let replies = shard.replies();
    let place = |rid: &str| replies.iter().position(|reply| reply.rid == rid);
    assert!(
        place("high").is_some_and(|place| place < 4),
        "{:?}",
        place("high")
    );
    let low = replies.iter().filter(|reply| reply.rid != "high");
    assert!(
        low.map(|reply| &reply.rid).eq(&(0..500)
            .map(|number| format!("low {number}"))
            .collect::<Vec<_>>())
    );
    shard.assert_idle();
}

#[test]
fn a_barrier_holds_back_what_follows_on_its_session() {
    let shard = Shard::new();
    shard.start(&WAITS, "barrier");
    {
        let next = shard
            .dispatcher
            .submit(&shard.session, get_element("next", 0), None);
        let mut next = pin!(next);
        let mut context = Context::from_waker(Waker::noop());
        assert!(next.as_mut().poll(&mut context).is_pending());
        assert!(shard.replies().is_empty());

        // Other sessions go on.
        let other = shard.dispatcher.open(Door::Rest, "10.0.0.2".into());
        let asked = shard
            .dispatcher
            .submit(&other, get_element("other", 0), None);
        assert!(asked.now_or_never().is_some_and(|asked| asked.is_ok()));
        assert!(other.outbox.bytes() > 0, "it is answered");

        open_gate();
        let ended = shard.world.seam.block_on(next);
        ended.expect("an envelope in its turn");
    }
    assert_eq!(
        names(&shard.replies()),
        [("waitsreply", "barrier"), ("getelement", "next")]
    );
    shard.assert_idle();
}

#[test]
fn what_follows_a_sign_in_is_asked_by_who_signed_in() {
    let shard = Shard::new();
    assert!(command::find("signin").is_some_and(|row| row.barrier));
    let message = SigninRequest {
        username: "root".into(),
        password: ROOT_PASSWORD.into(),
        ..SigninRequest::default()
    };
    shard.submit(frame("signin", "first", 0, &message.encode_to_vec()));
    shard.submit(frame("listcollections", "second", 0, &[]));
    shard.settle();
    assert_eq!(
        names(&shard.replies()),
        [("signinreply", "first"), ("listcollectionsreply", "second")]
    );
    shard.assert_idle();
}
