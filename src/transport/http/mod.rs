//! HTTP/1.1: pages, health, envelope REST and the WebSocket upgrade.

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};

use crate::error::Error;
use crate::limits;
use crate::session::CloseReason;
use crate::session::budget::Permit;

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
        let request = match next_request(context, &socket, &mut buffer).await {
            Ok(Some(request)) => request,
            Ok(None) => return Some(CloseReason::Finished),
            Err(reason) => return Some(reason),
        };
        let (head, body, _permit) = match request {
            Ok(request) => request,
            Err(error) => {
                let answering = respond::error(&socket, &error, false);
                timely(context, &socket, limits::HTTP_REQUEST_TIMEOUT, answering)
                    .await
                    .ok();
                linger(context, &socket).await;
                return Some(CloseReason::ProtocolViolation);
            }
        };
        if head.wants_websocket() && websocket::is_path(&head.path) {
            websocket::serve(context, socket, buffer, &head, remote).await;
            return None;
        }
        let keep = head.keep_alive && !context.dispatcher.is_draining();
        let page = answer(context, &head, body, &remote).await;
        let answering = respond::page(&socket, page, keep, head.method == "HEAD");
        if let Err(reason) =
            timely(context, &socket, limits::HTTP_RESPONSE_TIMEOUT, answering).await
        {
            return Some(reason);
        }
        if !keep {
            linger(context, &socket).await;
            return Some(CloseReason::Finished);
        }
    }
}

/// Lets the client read the last answer although it may still be sending.
async fn linger(context: &DoorContext, socket: &Socket) {
    socket.finish();
    let discarding = pin!(socket.discard());
    let waited = select(discarding, context.seam.sleep(limits::LINGER_TIMEOUT)).await;
    if let Either::Right(((), discarding)) = waited {
        socket.cut();
        discarding.await;
    }
}

/// A request with the permit for its body.
type Request = Result<(RequestHead, Bytes, Option<Permit>), Error>;

/// Reads one request; `None` at the end of the stream. A connection kept alive without
/// requests is given up, and so is a request that trickles in.
async fn next_request(
    context: &DoorContext,
    socket: &Socket,
    buffer: &mut ReadBuffer,
) -> Result<Option<Request>, CloseReason> {
    if buffer.bytes.is_empty() {
        let first = buffer.fill(socket, 0);
        if !timely(context, socket, limits::HTTP_IDLE_TIMEOUT, first).await? {
            return Ok(None);
        }
    }
    let head = match timely(
        context,
        socket,
        limits::HTTP_REQUEST_TIMEOUT,
        read_head(socket, buffer),
    )
    .await?
    {
        None => return Ok(None),
        Some(Err(error)) => return Ok(Some(Err(error))),
        Some(Ok(head)) => head,
    };
    if !head.has_body() {
        return Ok(Some(Ok((head, Bytes::new(), None))));
    }
    if (head.method.as_str(), head.path.as_str()) != ("POST", "/api/v2") {
        // Nothing here takes a body: it is not even read.
        let page = respond::refusal(&head);
        return Ok(Some(Err(page)));
    }
    if head.expects_continue {
        let going_on = respond::go_on(socket);
        timely(context, socket, limits::HTTP_REQUEST_TIMEOUT, going_on).await?;
    }
    let length = head.content_length.unwrap_or(limits::HTTP_BODY_BYTES_MAX) as u64;
    let allowed = limits::HTTP_REQUEST_TIMEOUT
        + Duration::from_secs(length / limits::FRAME_BYTES_PER_SECOND_MIN);
    let reading = body::read(&context.dispatcher.budget, socket, buffer, &head);
    let body = timely(context, socket, allowed, reading).await?;
    Ok(Some(body.map(|(body, permit)| (head, body, Some(permit)))))
}

async fn read_head(
    socket: &Socket,
    buffer: &mut ReadBuffer,
) -> io::Result<Option<Result<RequestHead, Error>>> {
    loop {
        match head::parse(&mut buffer.bytes) {
            Ok(Some(head)) => return Ok(Some(Ok(head))),
            Ok(None) => {}
            Err(error) => return Ok(Some(Err(error))),
        }
        if !buffer.fill(socket, 0).await? {
            return Ok(None);
        }
    }
}

async fn timely<T>(
    context: &DoorContext,
    socket: &Socket,
    limit: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T, CloseReason> {
    let work = pin!(work);
    match select(work, context.seam.sleep(limit)).await {
        Either::Left((result, _)) => result.map_err(|_| CloseReason::Network),
        Either::Right(((), work)) => {
            // Cut, then await the completion: the kernel owns the buffer until it says otherwise.
            socket.cut();
            work.await.ok();
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
