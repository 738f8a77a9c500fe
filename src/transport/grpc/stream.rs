//! One `SetupStream` call: a session whose messages are gRPC messages.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::future::{Either, select};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderValue, Request, Response};

use crate::limits;
use crate::session::{CloseReason, Door, Session};
use crate::wire::frame::FrameDecoder;

use super::super::{DoorContext, framed};
use super::status::{Status, timeout};

pub async fn serve(
    context: &Rc<DoorContext>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    remote: String,
) {
    let deadline = request
        .headers()
        .get("grpc-timeout")
        .and_then(|value| value.to_str().ok())
        .and_then(timeout);
    let mut response = Response::new(());
    let content_type = HeaderValue::from_static("application/grpc");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, content_type);
    if context.dispatcher.is_draining() {
        respond
            .send_response(Status::of(CloseReason::Drain).alone(), true)
            .ok();
        return;
    }
    if context.dispatcher.registry.len() >= limits::SHARD_SESSIONS_MAX {
        respond
            .send_response(Status::of(CloseReason::TooManySessions).alone(), true)
            .ok();
        return context
            .dispatcher
            .registry
            .gauges
            .count_close(CloseReason::TooManySessions);
    }
    let Ok(send) = respond.send_response(response, false) else {
        return context
            .dispatcher
            .registry
            .gauges
            .count_close(CloseReason::Network);
    };
    let session = context.dispatcher.open(Door::Grpc, remote);
    context.seam.spawn(
        "grpc writer",
        Box::pin(write(context.clone(), session.clone(), send)),
    );
    let reading = pin!(read(context, &session, request.into_body()));
    let reason = match deadline {
        None => reading.await,
        Some(deadline) => match select(reading, context.seam.sleep(deadline)).await {
            Either::Left((reason, _)) => reason,
            Either::Right(_) => {
                session.close(CloseReason::DeadlineExceeded);
                CloseReason::DeadlineExceeded
            }
        },
    };
    framed::end(context, &session, None, reason).await;
}

async fn read(context: &DoorContext, session: &Rc<Session>, mut body: RecvStream) -> CloseReason {
    let mut inbound = framed::Inbound::with(FrameDecoder::grpc());
    let mut buffer = BytesMut::new();
    loop {
        let closed = pin!(session.closed());
        let data = match select(pin!(body.data()), closed).await {
            Either::Left((Some(Ok(data)), _)) => data,
            Either::Left((Some(Err(_)), _)) => return CloseReason::Network,
            Either::Left((None, _)) => return CloseReason::ClientClosed,
            Either::Right((reason, _)) => return reason,
        };
        let length = data.len();
        // A DATA frame that holds whole messages is cut in place.
        if buffer.is_empty() {
            buffer = data
                .try_into_mut()
                .unwrap_or_else(|data| BytesMut::from(&data[..]));
        } else {
            buffer.extend_from_slice(&data);
        }
        if let Err(error) = inbound.take(context, session, &mut buffer).await {
            return framed::violation(context, session, &error);
        }
        if buffer.is_empty() {
            // An empty remainder would keep the whole buffer that a large frame came in.
            buffer = BytesMut::new();
        }
        // The window opens again only now: a shard without room carries its pressure to the client.
        if body.flow_control().release_capacity(length).is_err() {
            return CloseReason::Network;
        }
    }
}

/// Sends the outbox, then the status of the session.
async fn write(context: Rc<DoorContext>, session: Rc<Session>, mut send: SendStream<Bytes>) {
    while let Some(batch) = session.outbox.next_batch().await {
        for segment in batch {
            if send_all(&context, &session, &mut send, segment)
                .await
                .is_err()
            {
                session.close(CloseReason::Network);
                session.outbox.abandon();
                send.send_reset(Reason::CANCEL);
                return session.set_written();
            }
        }
    }
    let reason = session.close_reason().unwrap_or(CloseReason::Finished);
    if matches!(reason, CloseReason::OutboxFull | CloseReason::WriteDeadline) {
        // The peer's window is shut: trailers would wait behind what it does not read.
        send.send_reset(Reason::ENHANCE_YOUR_CALM);
    } else {
        send.send_trailers(Status::of(reason).trailers()).ok();
    }
    session.set_written();
}

async fn send_all(
    context: &DoorContext,
    session: &Session,
    send: &mut SendStream<Bytes>,
    mut segment: Bytes,
) -> Result<(), CloseReason> {
    while segment.has_remaining() {
        send.reserve_capacity(segment.len());
        let capacity = {
            let waiting = pin!(poll_fn(|cx| send.poll_capacity(cx)));
            match select(waiting, pin!(session.cutting())).await {
                Either::Left((Some(Ok(capacity)), _)) => capacity,
                _ => return Err(CloseReason::Network),
            }
        };
        let part = segment.split_to(capacity.min(segment.len()));
        let count = part.len();
        send.send_data(part, false)
            .map_err(|_| CloseReason::Network)?;
        session.outbox.wrote(context.seam.clock().now(), count);
    }
    Ok(())
}
