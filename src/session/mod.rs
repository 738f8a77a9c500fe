//! Who is connected: identity, sequence, permits, outbox.
//!
//! A session belongs to one shard from accept to close and is shared by `Rc`
//! inside it. It knows no commands and no transports: a door feeds it frames, a
//! handler changes its login, the dispatcher puts replies into its outbox.
//!
//! Borrows never cross an await: state is read and written through methods.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use bytes::Bytes;

use crate::auth::Identity;
use crate::seam::Ticks;
use crate::session::budget::Permit;
use crate::wire::envelope::{Outgoing, write_reply};
use crate::wire::frame::Framing;
use crate::wire::sequence::{SequenceCounter, SequenceRule, Sequencer};

pub mod budget;
pub mod liveness;
pub mod outbox;
mod reason;
pub mod registry;

pub use outbox::Outbox;
pub use reason::CloseReason;

/// The door a session came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    Tcp,
    Pipe,
    WebSocket,
    Grpc,
    Rest,
}

impl Door {
    pub const ALL: [Door; 5] = [
        Door::Tcp,
        Door::Pipe,
        Door::WebSocket,
        Door::Grpc,
        Door::Rest,
    ];

    pub fn label(self) -> &'static str {
        match self {
            Door::Tcp => "tcp",
            Door::Pipe => "pipe",
            Door::WebSocket => "ws",
            Door::Grpc => "grpc",
            Door::Rest => "rest",
        }
    }

    /// gRPC clients may send anything as `seq` (contract 1.2), REST carries one message.
    fn sequencer(self) -> Sequencer {
        match self {
            Door::Tcp | Door::Pipe | Door::WebSocket => Sequencer::new(SequenceRule::Strict),
            Door::Grpc | Door::Rest => Sequencer::new(SequenceRule::Ignored),
        }
    }

    fn framing(self) -> Framing {
        match self {
            Door::Tcp | Door::Pipe => Framing::LengthPrefix,
            Door::WebSocket => Framing::WebSocket,
            Door::Grpc => Framing::Grpc,
            Door::Rest => Framing::Bare,
        }
    }
}

/// Who signed in on a session, and with what.
#[derive(Clone)]
pub struct Login {
    /// The connection token (contract 2.5), sent by the client or issued to it.
    pub token: Rc<str>,
    pub identity: Rc<Identity>,
    /// When the token ends, milliseconds since 1970.
    pub expires_unix_ms: i64,
}

/// One connected client.
pub struct Session {
    pub id: u64,
    pub door: Door,
    /// Address of the peer without its port; `local` for pipes.
    pub remote: String,
    pub opened: Ticks,
    pub outbox: Outbox,
    login: RefCell<Option<Login>>,
    agent: RefCell<String>,
    version: RefCell<String>,
    pings: Cell<bool>,
    renewing: Cell<bool>,
    last_message: Cell<Ticks>,
    last_ping: Cell<Ticks>,
    guest_requests: Cell<bool>,
    seq_out: RefCell<SequenceCounter>,
    next_id: Cell<u64>,
    pub(crate) in_flight: Cell<usize>,
    barrier: Cell<bool>,
    reader: RefCell<Option<Waker>>,
    /// Incoming sequence numbers, by the rules of the door (contract 1.3, 1.4).
    pub sequencer: RefCell<Sequencer>,
    /// When the frame that is still arriving must be complete.
    frame_deadline: Cell<Option<Ticks>>,
    close_reason: Cell<Option<CloseReason>>,
    closer: RefCell<Option<Box<dyn Fn()>>>,
    is_cut: Cell<bool>,
    end_waiter: RefCell<Option<Waker>>,
    cut_waiter: RefCell<Option<Waker>>,
    /// The writer has written its last byte.
    is_written: Cell<bool>,
    written_waiter: RefCell<Option<Waker>>,
    /// The reader has nothing more to read.
    is_read: Cell<bool>,
    read_waiter: RefCell<Option<Waker>>,
    /// For the frames that the sequencer parks.
    parked: RefCell<Vec<Permit>>,
}

impl Session {
    /// `random` starts the session's message ids; it need not be secret.
    pub fn new(id: u64, door: Door, remote: String, now: Ticks, random: u64) -> Rc<Self> {
        Rc::new(Self {
            id,
            door,
            remote,
            opened: now,
            outbox: Outbox::new(door.framing()),
            login: RefCell::default(),
            agent: RefCell::default(),
            version: RefCell::default(),
            pings: Cell::new(true),
            renewing: Cell::new(false),
            last_message: Cell::new(now),
            last_ping: Cell::new(now),
            guest_requests: Cell::new(false),
            seq_out: RefCell::default(),
            next_id: Cell::new(random),
            in_flight: Cell::new(0),
            barrier: Cell::new(false),
            reader: RefCell::default(),
            sequencer: RefCell::new(door.sequencer()),
            frame_deadline: Cell::new(None),
            close_reason: Cell::new(None),
            closer: RefCell::default(),
            is_cut: Cell::new(false),
            end_waiter: RefCell::default(),
            cut_waiter: RefCell::default(),
            is_written: Cell::new(false),
            written_waiter: RefCell::default(),
            is_read: Cell::new(false),
            read_waiter: RefCell::default(),
            parked: RefCell::default(),
        })
    }

    // --- identity ---------------------------------------------------------

    pub fn login(&self) -> Option<Login> {
        self.login.borrow().clone()
    }

    /// The connection token, for messages that bring none.
    pub fn token(&self) -> Option<Rc<str>> {
        self.login
            .borrow()
            .as_ref()
            .map(|login| login.token.clone())
    }

    pub fn set_login(&self, login: Login) {
        *self.login.borrow_mut() = Some(login);
    }

    pub fn agent(&self) -> String {
        self.agent.borrow().clone()
    }

    pub fn version(&self) -> String {
        self.version.borrow().clone()
    }

    /// The first non-empty values win (contract 5.1).
    pub fn introduce(&self, agent: &str, version: &str) {
        for (field, value) in [(&self.agent, agent), (&self.version, version)] {
            if field.borrow().is_empty() {
                *field.borrow_mut() = value.to_owned();
            }
        }
    }

    /// Marks whether a new token is on its way; returns what was marked before.
    pub fn renewing(&self, now: bool) -> bool {
        self.renewing.replace(now)
    }

    /// Whether the server pings this client; after sign-in the client decides (contract 2.8).
    pub fn set_pings(&self, wanted: bool) {
        self.pings.set(wanted);
    }

    pub fn pings(&self) -> bool {
        self.pings.get()
    }

    /// The session did something as guest: the sign-in timer no longer applies (contract 2.8).
    pub fn mark_guest_request(&self) {
        self.guest_requests.set(true);
    }

    pub fn made_guest_requests(&self) -> bool {
        self.guest_requests.get()
    }

    // --- liveness -----------------------------------------------------------

    pub fn last_message(&self) -> Ticks {
        self.last_message.get()
    }

    pub fn touch(&self, now: Ticks) {
        self.last_message.set(now);
    }

    pub fn last_ping(&self) -> Ticks {
        self.last_ping.get()
    }

    // --- requests in flight -----------------------------------------------------

    /// A request starts. `barrier`: nothing else of this session starts until it ends.
    pub fn begin(&self, barrier: bool) {
        self.in_flight.set(self.in_flight.get() + 1);
        if barrier {
            self.barrier.set(true);
        }
    }

    /// A request ended; its reply is in the outbox.
    pub fn end(&self, barrier: bool) {
        self.in_flight.set(self.in_flight.get() - 1);
        if barrier {
            self.barrier.set(false);
        }
        wake(&self.reader);
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Whether the next frame may start now.
    pub fn may_begin(&self) -> bool {
        !self.barrier.get() && self.in_flight.get() < crate::limits::SESSION_IN_FLIGHT_MAX
    }

    /// Who waits for a request of this session to end.
    pub fn wait_with(&self, waker: &Waker) {
        *self.reader.borrow_mut() = Some(waker.clone());
    }

    // --- messages to the client -----------------------------------------------------

    /// Queues one message. `rid` is empty for unsolicited ones.
    pub fn send(
        &self,
        now: Ticks,
        command: &str,
        reply: bool,
        rid: &str,
        type_name: &str,
        body: Bytes,
    ) {
        let seq = self.seq_out.borrow_mut().take();
        let id = self.fresh_id();
        let outgoing = Outgoing {
            command,
            reply_suffix: reply,
            seq,
            id: std::str::from_utf8(&id).unwrap_or_default(),
            rid,
            type_name,
            body_len: body.len(),
            ..Outgoing::default()
        };
        self.outbox.push(
            now,
            outgoing.head_len(),
            |out| write_reply(out, &outgoing),
            body,
        );
    }

    /// A server ping (contract 2.8).
    pub fn send_ping(&self, now: Ticks) {
        self.last_ping.set(now);
        self.send(now, "ping", false, "", "PingRequest", Bytes::new());
    }

    /// Nine base-36 digits, unique within the session: the form clients know (contract 2.1).
    fn fresh_id(&self) -> [u8; 9] {
        let mut value = self.next_id.get();
        // An odd step visits every value before it repeats.
        self.next_id.set(value.wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut id = [0; 9];
        for digit in &mut id {
            *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(value % 36) as usize];
            value /= 36;
        }
        id
    }

    // --- the end ------------------------------------------------------------------

    /// How to cut the connection from outside: the door gives it, [`Session::cut`] uses it.
    pub fn on_cut(&self, closer: Box<dyn Fn()>) {
        *self.closer.borrow_mut() = Some(closer);
    }

    /// Ends the session; the first reason stays. What is in the outbox is still written,
    /// unless the client does not read: then the connection is cut.
    pub fn close(&self, reason: CloseReason) {
        if self.close_reason.get().is_some() {
            return;
        }
        self.close_reason.set(Some(reason));
        if self.door == Door::WebSocket {
            self.outbox
                .push_raw(self.last_message.get(), &websocket_close(reason));
        }
        if matches!(
            reason,
            CloseReason::OutboxFull | CloseReason::WriteDeadline | CloseReason::Network
        ) {
            self.cut();
        } else {
            self.outbox.close();
        }
        wake(&self.reader);
        wake(&self.end_waiter);
    }

    /// Drops what is unwritten and cuts the connection.
    pub fn cut(&self) {
        self.is_cut.set(true);
        self.outbox.abandon();
        wake(&self.cut_waiter);
        if let Some(closer) = self.closer.borrow_mut().take() {
            closer();
        }
    }

    pub fn close_reason(&self) -> Option<CloseReason> {
        self.close_reason.get()
    }

    /// Resolves when no request of this session runs or waits.
    pub async fn quiet(&self) {
        poll_fn(|cx| {
            if self.in_flight.get() == 0 {
                return Poll::Ready(());
            }
            self.wait_with(cx.waker());
            Poll::Pending
        })
        .await
    }

    /// Resolves with the reason when the session is closed.
    pub async fn closed(&self) -> CloseReason {
        poll_fn(|cx| match self.close_reason.get() {
            Some(reason) => Poll::Ready(reason),
            None => {
                *self.end_waiter.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// Resolves when the connection is to be cut, unwritten replies and all.
    pub async fn cutting(&self) {
        poll_fn(|cx| {
            if self.is_cut.get() {
                return Poll::Ready(());
            }
            *self.cut_waiter.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// The writer tells that it has ended.
    pub fn set_written(&self) {
        self.is_written.set(true);
        wake(&self.written_waiter);
    }

    /// Resolves when the last reply has been written, or the connection was cut.
    pub async fn written(&self) {
        until(&self.is_written, &self.written_waiter).await
    }

    /// The reader tells that it has ended.
    pub fn set_read(&self) {
        self.is_read.set(true);
        wake(&self.read_waiter);
    }

    /// Resolves when the client has nothing more to say.
    pub async fn read(&self) {
        until(&self.is_read, &self.read_waiter).await
    }

    /// Keeps the permit of a frame that the sequencer parked.
    pub fn park(&self, permit: Permit) {
        self.parked.borrow_mut().push(permit);
    }

    /// Gives the permits of parked frames back.
    pub fn unpark(&self) {
        self.parked.borrow_mut().clear();
    }

    /// A frame has begun to arrive and must be complete by `deadline`; `None`: it is.
    pub fn expect_frame_by(&self, deadline: Option<Ticks>) {
        self.frame_deadline.set(deadline);
    }

    pub fn frame_deadline(&self) -> Option<Ticks> {
        self.frame_deadline.get()
    }
}

/// A close frame that names the reason (RFC 6455, 5.5.1 and 7.4.1).
fn websocket_close(reason: CloseReason) -> Vec<u8> {
    let code: u16 = match reason {
        CloseReason::ClientClosed | CloseReason::Finished => 1000,
        CloseReason::Drain => 1001,
        CloseReason::ProtocolViolation => 1002,
        CloseReason::FrameTooLarge => 1009,
        _ => 1008,
    };
    let label = reason.label();
    let mut frame = vec![0x88, 2 + label.len() as u8];
    frame.extend_from_slice(&code.to_be_bytes());
    frame.extend_from_slice(label.as_bytes());
    frame
}

async fn until(flag: &Cell<bool>, waiter: &RefCell<Option<Waker>>) {
    poll_fn(|cx| {
        if flag.get() {
            return Poll::Ready(());
        }
        *waiter.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    })
    .await
}

fn wake(waiter: &RefCell<Option<Waker>>) {
    if let Some(waker) = waiter.borrow_mut().take() {
        waker.wake();
    }
}
