//! WebSocket: envelopes as a byte stream inside binary messages (contract 1.3).

use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use crate::error::Result;
use crate::session::{CloseReason, Door, Session};

use super::framed::{self, Inbound};
use super::http::RequestHead;
use super::socket::{ReadBuffer, Socket};
use super::{DoorContext, writer};

mod frames;
mod handshake;

use frames::{Event, Frames};

/// Paths of the door. The reference serves an older protocol on all but the first; the
/// published documentation shows them, so they speak this one here (contract 1.1).
pub fn is_path(path: &str) -> bool {
    matches!(path, "/ws/v2" | "/ws/v2/" | "/" | "/ws" | "/ws/v1")
}

/// Answers the upgrade and serves the session to its end.
pub async fn serve(
    context: &Rc<DoorContext>,
    socket: Socket,
    buffer: ReadBuffer,
    head: &RequestHead,
    remote: String,
) {
    let answer = match handshake::answer(head) {
        Ok(answer) => answer,
        Err(refusal) => {
            socket.write_all(Bytes::from(refusal)).await.ok();
            return context
                .dispatcher
                .registry
                .gauges
                .count_close(CloseReason::ProtocolViolation);
        }
    };
    if socket.write_all(Bytes::from(answer)).await.is_err() {
        return context
            .dispatcher
            .registry
            .gauges
            .count_close(CloseReason::Network);
    }
    let session = context.dispatcher.open(Door::WebSocket, remote);
    let cut = socket.clone();
    session.on_cut(Box::new(move || cut.cut()));
    let writing = writer::run(session.clone(), socket.clone(), context.seam.clone());
    context.seam.spawn("session writer", Box::pin(writing));
    let reason = read(context, &session, &socket, buffer).await;
    framed::end(context, &session, Some(&socket), reason).await;
}

async fn read(
    context: &DoorContext,
    session: &Rc<Session>,
    socket: &Socket,
    mut buffer: ReadBuffer,
) -> CloseReason {
    let mut frames = Frames::new();
    let mut inbound = Inbound::new();
    let mut stream = BytesMut::new();
    loop {
        match take(
            context,
            session,
            &mut frames,
            &mut inbound,
            &mut buffer.bytes,
            &mut stream,
        )
        .await
        {
            Ok(None) => {}
            Ok(Some(reason)) => return reason,
            Err(error) => return framed::violation(context, session, &error),
        }
        if session.close_reason().is_some() || context.dispatcher.is_draining() {
            return CloseReason::Drain;
        }
        let needed = inbound.frames.needed(&stream);
        match buffer.fill(socket, needed).await {
            Ok(true) => {}
            Ok(false) => return CloseReason::ClientClosed,
            Err(_) => return CloseReason::Network,
        }
    }
}

/// Takes every WebSocket frame of `bytes`; a reason ends the session.
async fn take(
    context: &DoorContext,
    session: &Rc<Session>,
    frames: &mut Frames,
    inbound: &mut Inbound,
    bytes: &mut BytesMut,
    stream: &mut BytesMut,
) -> Result<Option<CloseReason>> {
    while let Some(event) = frames.next(bytes)? {
        match event {
            Event::Data(data) if stream.is_empty() => *stream = data,
            Event::Data(data) => stream.extend_from_slice(&data),
            Event::Ping(payload) => {
                let now = context.dispatcher.tick();
                session.outbox.push_raw(now, &frames::pong(&payload));
                session.outbox.room().await;
            }
            Event::Pong => session.touch(context.seam.clock().now()),
            Event::Close => return Ok(Some(CloseReason::ClientClosed)),
        }
        inbound.take(context, session, stream).await?;
        if stream.is_empty() {
            // An empty remainder would keep the whole buffer that a large frame came in.
            *stream = BytesMut::new();
        }
    }
    Ok(None)
}
