//! Doors: every way in, on one port.
//!
//! What each door keeps:
//! - messages of a client are handed in in arrival order, and read only while there is room;
//! - replies leave in the order the outbox got them;
//! - a failed write ends the connection; so does a violation, after it was answered;
//! - a drain lets requests in flight finish and their replies leave;
//! - the connection ends with one named [`CloseReason`].

use std::os::fd::OwnedFd;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::dispatch::Dispatcher;
use crate::seam::SharedSeam;
use crate::session::{CloseReason, Door};

mod framed;
mod grpc;
mod http;
pub mod listen;
mod sniff;
mod socket;
mod websocket;
mod writer;

use sniff::Protocol;
use socket::{ReadBuffer, Socket};

/// A page of the HTTP door, made elsewhere.
pub struct Page {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

/// Pages of the HTTP door: `/config`, health, monitoring.
pub trait Pages {
    /// `None`: there is no such page.
    fn get(&self, path: &str) -> Option<Page>;
}

/// What a connection needs from its shard.
pub struct DoorContext {
    pub dispatcher: Rc<Dispatcher>,
    pub seam: SharedSeam,
    pub pages: Rc<dyn Pages>,
    /// How long a connection may stay without its first bytes.
    pub sniff_timeout: Duration,
}

/// An accepted connection, on its way to its shard.
pub struct Accepted {
    pub fd: OwnedFd,
    pub unix: bool,
    /// Address of the peer without its port; `local` for pipes.
    pub remote: String,
}

/// Serves one connection to its end.
pub async fn serve(context: Rc<DoorContext>, accepted: Accepted) {
    let gauges = context.dispatcher.registry.gauges.clone();
    let remote = accepted.remote.clone();
    let reason = match Socket::adopt(accepted.fd, accepted.unix) {
        Ok(socket) => run(&context, socket, accepted.remote).await,
        Err(error) => {
            tracing::warn!(remote, "a connection could not be taken over: {error}");
            Some(CloseReason::Network)
        }
    };
    // Sessions count their own end; what never became a session is counted here.
    if let Some(reason) = reason {
        gauges.count_close(reason);
        tracing::info!(remote, reason = reason.label(), "connection closed");
    }
    gauges.connections.fetch_sub(1, Ordering::Relaxed);
}

/// Returns a reason when the connection ended without a session.
async fn run(context: &Rc<DoorContext>, socket: Socket, remote: String) -> Option<CloseReason> {
    if socket.is_unix() {
        // Pipes speak one protocol: no need to wait for the client's first bytes.
        framed::serve(context, Door::Pipe, socket, ReadBuffer::new(), remote).await;
        return None;
    }
    let mut buffer = ReadBuffer::new();
    let protocol = {
        let sniffing = pin!(first_bytes(&socket, &mut buffer));
        match select(sniffing, context.seam.sleep(context.sniff_timeout)).await {
            Either::Left((protocol, _)) => protocol,
            Either::Right(((), sniffing)) => {
                // Cut, then await the completion: the kernel owns the buffer until it says otherwise.
                socket.cut();
                sniffing.await.ok();
                Err(CloseReason::SniffTimeout)
            }
        }
    };
    match protocol {
        Ok(Protocol::Framed) => framed::serve(context, Door::Tcp, socket, buffer, remote).await,
        Ok(Protocol::Http1) => return http::serve(context, socket, buffer, remote).await,
        Ok(Protocol::Http2) => return grpc::serve(context, socket, buffer, remote).await,
        Err(reason) => return Some(reason),
    }
    None
}

async fn first_bytes(socket: &Socket, buffer: &mut ReadBuffer) -> Result<Protocol, CloseReason> {
    loop {
        if let Some(protocol) = sniff::sniff(&buffer.bytes) {
            return protocol;
        }
        match buffer.fill(socket, 0).await {
            Ok(true) => {}
            Ok(false) => return Err(CloseReason::ClientClosed),
            Err(_) => return Err(CloseReason::Network),
        }
    }
}
