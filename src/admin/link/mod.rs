//! A client's connection: envelopes out, envelopes in, over any door.
//!
//! One reader and one writer task per connection, on the runtime of the calling
//! thread. Whoever sends appends to [`Outbound`]; the writer takes all that is there
//! and writes it at once, so that many requests share one system call.

mod client;
mod codec;
mod duplex;
mod grpc;
mod signal;
mod socket;
mod target;
mod websocket;

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use compio::runtime::JoinHandle;

use crate::error::{Code, Error, Result, Retry};
use crate::limits::CLIENT_CONNECT_TIMEOUT;

pub use client::{Client, Reply, identify};
pub use codec::Outbound;
pub use signal::Signal;
pub use target::Target;

/// Runs a client's work on a runtime of this thread.
pub fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = compio::runtime::Runtime::new()
        .map_err(|cause| Error::internal("the client's runtime").because(cause))?;
    runtime.block_on(work)
}

/// What is done with what arrives.
pub trait Handler: 'static {
    /// Bytes have arrived; the frames they complete follow.
    fn batch(&mut self) {}
    /// One envelope. An error ends the connection.
    fn frame(&mut self, frame: Bytes, out: &mut Outbound) -> Result<()>;
    /// The connection is over.
    fn closed(&mut self, reason: &Error);
}

pub type SharedHandler = Rc<RefCell<dyn Handler>>;

/// What the tasks of one connection share.
#[derive(Clone)]
pub(super) struct Ends {
    pub handler: SharedHandler,
    pub outbound: Rc<RefCell<Outbound>>,
    pub signal: Rc<Signal>,
}

impl Ends {
    /// Hands every complete frame to the handler and wakes the writer if it answered.
    fn deliver(&self, inbound: &mut codec::Inbound) -> Result<()> {
        let mut handler = self.handler.borrow_mut();
        let mut outbound = self.outbound.borrow_mut();
        handler.batch();
        while let Some(frame) = inbound.next(&mut outbound)? {
            handler.frame(frame, &mut outbound)?;
        }
        if !outbound.is_empty() {
            self.signal.notify();
        }
        Ok(())
    }

    fn closed(&self, ended: Result<()>) {
        let reason = ended.err().unwrap_or_else(closed_by_server);
        self.handler.borrow_mut().closed(&reason);
    }
}

/// An open connection; dropping it closes it.
pub struct Link {
    ends: Ends,
    _tasks: Vec<JoinHandle<()>>,
}

impl Link {
    /// Connects, shakes hands, and starts reading. `Unavailable` says what failed.
    pub async fn open(target: &Target, handler: SharedHandler) -> Result<Self> {
        let opening = Self::open_untimed(target, handler);
        match compio::time::timeout(CLIENT_CONNECT_TIMEOUT, opening).await {
            Ok(opened) => opened,
            Err(_) => Err(unavailable(format!("{target}: no answer in time"))),
        }
    }

    async fn open_untimed(target: &Target, handler: SharedHandler) -> Result<Self> {
        let socket = socket::Socket::connect(target).await?;
        let outbound = Outbound::new(target);
        let ends = Ends {
            handler,
            outbound: Rc::new(RefCell::new(outbound)),
            signal: Rc::new(Signal::default()),
        };
        let _tasks = match target {
            Target::Grpc { authority } => grpc::start(socket, authority, &ends).await?,
            Target::WebSocket { authority, path } => {
                let rest = websocket::handshake(&socket, authority, path).await?;
                socket::start(socket, codec::Inbound::new(target, &rest), &ends)
            }
            _ => socket::start(socket, codec::Inbound::new(target, &[]), &ends),
        };
        Ok(Self { ends, _tasks })
    }

    /// Appends through `fill` and wakes the writer.
    pub fn send<R>(&self, fill: impl FnOnce(&mut Outbound) -> R) -> R {
        let result = fill(&mut self.ends.outbound.borrow_mut());
        self.ends.signal.notify();
        result
    }
}

pub(super) fn unavailable(context: String) -> Error {
    Error::backend(Code::Unavailable, Retry::Safe, context)
}

pub(super) fn closed_by_server() -> Error {
    unavailable("the server closed the connection".into())
}
