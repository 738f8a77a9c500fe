//! Length-prefixed envelopes over TCP and pipes.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::{Either, select};

use crate::error::{Code, Error, Result};
use crate::limits;
use crate::session::budget::Permit;
use crate::session::{CloseReason, Door, Session};
use crate::wire::frame::FrameDecoder;

use super::socket::{ReadBuffer, Socket};
use super::{DoorContext, writer};

/// Serves one session to its end.
pub async fn serve(
    context: &Rc<DoorContext>,
    door: Door,
    socket: Socket,
    buffer: ReadBuffer,
    remote: String,
) {
    let session = context.dispatcher.open(door, remote);
    let cut = socket.clone();
    session.on_cut(Box::new(move || cut.cut()));
    let writing = writer::run(session.clone(), socket.clone(), context.seam.clone());
    context.seam.spawn("session writer", Box::pin(writing));
    let reason = read(context, &session, &socket, buffer).await;
    end(context, &session, Some(&socket), reason).await;
}

/// Finishes what runs, lets the last replies leave, says why, and forgets the session.
/// Until then the sweep sees it and cuts it if its client does not read.
pub async fn end(
    context: &DoorContext,
    session: &Rc<Session>,
    socket: Option<&Socket>,
    reason: CloseReason,
) {
    if reason == CloseReason::Network {
        session.close(reason);
    }
    session.quiet().await;
    session.close(reason);
    if let Some(socket) = socket {
        socket.discard().await;
    }
    session.set_read();
    session.written().await;
    let reason = session.close_reason().unwrap_or(reason);
    tracing::info!(
        session = session.id,
        door = session.door.label(),
        remote = session.remote,
        reason = reason.label(),
        "session closed"
    );
    context.dispatcher.registry.remove(session.id);
}

/// Cuts frames from what comes and hands them in.
pub struct Inbound {
    pub frames: FrameDecoder,
    /// Permit for the part of a large frame that is here.
    permit: Option<Permit>,
    /// Bytes the frame wanted when its deadline was set.
    expected: usize,
}

impl Inbound {
    /// Envelopes behind a 4-byte length.
    pub fn new() -> Self {
        Self::with(FrameDecoder::length_prefixed())
    }

    pub fn with(frames: FrameDecoder) -> Self {
        Self {
            frames,
            permit: None,
            expected: 0,
        }
    }

    /// Hands in every complete frame of `bytes`; what remains is an incomplete one.
    pub async fn take(
        &mut self,
        context: &DoorContext,
        session: &Rc<Session>,
        bytes: &mut BytesMut,
    ) -> Result<()> {
        let dispatcher = &context.dispatcher;
        dispatcher.tick();
        while let Some(frame) = self.frames.next(bytes)? {
            session.expect_frame_by(None);
            self.expected = 0;
            dispatcher
                .submit(session, frame, self.permit.take())
                .await?;
        }
        if !self.frames.is_idle(bytes) {
            self.expect(context, session, bytes).await;
        }
        Ok(())
    }

    /// A frame is arriving: says by when, and takes memory for it step by step as it comes,
    /// so that announcing much reserves nothing.
    async fn expect(&mut self, context: &DoorContext, session: &Rc<Session>, bytes: &BytesMut) {
        let budget = &context.dispatcher.budget;
        let needed = self.frames.needed(bytes);
        if session.frame_deadline().is_none() || needed > self.expected {
            self.expected = needed;
            let seconds = needed as u64 / limits::FRAME_BYTES_PER_SECOND_MIN;
            let allowed = limits::FRAME_TIMEOUT + Duration::from_secs(seconds);
            session.expect_frame_by(Some(context.dispatcher.tick().plus(allowed)));
        }
        let held = self.permit.as_ref().map_or(0, Permit::bytes);
        if needed <= limits::READ_BYTES_MAX || bytes.len() < held {
            return;
        }
        let taking = pin!(budget.take(limits::PERMIT_STEP_BYTES));
        if let Either::Left((step, _)) = select(taking, pin!(session.closed())).await {
            match &mut self.permit {
                Some(permit) => permit.join(step),
                None => self.permit = Some(step),
            }
        }
    }
}

async fn read(
    context: &DoorContext,
    session: &Rc<Session>,
    socket: &Socket,
    mut buffer: ReadBuffer,
) -> CloseReason {
    let mut inbound = Inbound::new();
    loop {
        if let Err(error) = inbound.take(context, session, &mut buffer.bytes).await {
            return violation(context, session, &error);
        }
        if session.close_reason().is_some() || context.dispatcher.is_draining() {
            return CloseReason::Drain;
        }
        match buffer
            .fill(socket, inbound.frames.needed(&buffer.bytes))
            .await
        {
            Ok(true) => {}
            Ok(false) => return CloseReason::ClientClosed,
            Err(_) => return CloseReason::Network,
        }
    }
}

/// Answers a violation and names the reason with which the session ends.
pub fn violation(context: &DoorContext, session: &Session, error: &Error) -> CloseReason {
    tracing::warn!(
        session = session.id,
        door = session.door.label(),
        remote = session.remote,
        "violation: {error}"
    );
    context.dispatcher.reject(session, error);
    match error.code {
        Code::TooLarge => CloseReason::FrameTooLarge,
        _ => CloseReason::ProtocolViolation,
    }
}
