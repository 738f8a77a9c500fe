//! HTTP/1.1: pages, health, envelope REST and the WebSocket upgrade.

use std::pin::pin;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::{Either, select};

use crate::error::Error;
use crate::limits;
use crate::session::CloseReason;

use super::socket::{ReadBuffer, Socket};
use super::{DoorContext, Page, websocket};

mod body;
mod head;
mod respond;
mod rest;

pub use head::RequestHead;

/// Serves requests of one connection, one after the other.
/// Returns `None` when the connection became a session of another door.
pub async fn serve(
    context: &Rc<DoorContext>,
    socket: Socket,
    mut buffer: ReadBuffer,
    remote: String,
) -> Option<CloseReason> {
    loop {
        let request = match timely(context, &socket, next_request(&socket, &mut buffer)).await {
            Ok(Some(request)) => request,
            Ok(None) => return Some(CloseReason::Finished),
            Err(reason) => return Some(reason),
        };
        let (head, body) = match request {
            Ok(request) => request,
            Err(error) => {
                respond::error(&socket, &error, false).await.ok();
                return Some(CloseReason::ProtocolViolation);
            }
        };
        if head.wants_websocket() && websocket::is_path(&head.path) {
            websocket::serve(context, socket, buffer, &head, remote).await;
            return None;
        }
        let keep = head.keep_alive && !context.dispatcher.is_draining();
        let page = answer(context, &head, body, &remote).await;
        if respond::page(&socket, &page, keep, head.method == "HEAD")
            .await
            .is_err()
        {
            return Some(CloseReason::Network);
        }
        if !keep {
            return Some(CloseReason::Finished);
        }
    }
}

type Request = Result<(RequestHead, Bytes), Error>;

/// Reads one request; `None` at the end of the stream.
async fn next_request(
    socket: &Socket,
    buffer: &mut ReadBuffer,
) -> Result<Option<Request>, CloseReason> {
    let head = loop {
        match head::parse(&mut buffer.bytes) {
            Ok(Some(head)) => break head,
            Ok(None) => {}
            Err(error) => return Ok(Some(Err(error))),
        }
        match buffer.fill(socket, 0).await {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(_) => return Err(CloseReason::Network),
        }
    };
    if head.expects_continue && respond::go_on(socket).await.is_err() {
        return Err(CloseReason::Network);
    }
    match body::read(socket, buffer, &head).await {
        Ok(body) => Ok(Some(body.map(|body| (head, body)))),
        Err(_) => Err(CloseReason::Network),
    }
}

/// A request that trickles in, or a connection kept alive without requests, is given up.
async fn timely<T>(
    context: &DoorContext,
    socket: &Socket,
    request: impl Future<Output = Result<T, CloseReason>>,
) -> Result<T, CloseReason> {
    let request = pin!(request);
    match select(request, context.seam.sleep(limits::HTTP_REQUEST_TIMEOUT)).await {
        Either::Left((result, _)) => result,
        Either::Right(((), request)) => {
            // Cut, then await the completion: the kernel owns the buffer until it says otherwise.
            socket.cut();
            request.await.ok();
            Err(CloseReason::FrameDeadline)
        }
    }
}

async fn answer(context: &Rc<DoorContext>, head: &RequestHead, body: Bytes, remote: &str) -> Page {
    match (head.method.as_str(), head.path.as_str()) {
        ("POST", "/api/v2") => rest::envelope(context, head, &body, remote).await,
        ("OPTIONS", _) => Page {
            status: 204,
            content_type: "text/plain",
            body: Vec::new(),
        },
        ("GET" | "HEAD", path) => context
            .pages
            .get(path)
            .unwrap_or_else(|| respond::not_found(head)),
        (_, "/api/v2") => respond::plain(
            405,
            "Use POST with one JSON envelope (Content-Type: application/json).",
        ),
        _ => respond::not_found(head),
    }
}
