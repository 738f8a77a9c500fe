//! Length-prefixed envelopes over TCP and pipes.

use std::rc::Rc;
use std::time::Duration;

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
    end(context, &session, reason).await;
}

/// Finishes what runs, says why, and forgets the session.
pub async fn end(context: &DoorContext, session: &Rc<Session>, reason: CloseReason) {
    if reason == CloseReason::Network {
        session.close(reason);
    }
    session.quiet().await;
    session.close(reason);
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
    /// Permit for the frame that is arriving, taken before it is buffered.
    permit: Option<Permit>,
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
        }
    }

    /// Hands in every complete frame of `bytes`; what remains is an incomplete one.
    pub async fn take(
        &mut self,
        context: &DoorContext,
        session: &Rc<Session>,
        bytes: &mut bytes::BytesMut,
    ) -> Result<()> {
        let dispatcher = &context.dispatcher;
        let now = dispatcher.tick();
        while let Some(frame) = self.frames.next(bytes)? {
            session.expect_frame_by(None);
            dispatcher
                .submit(session, frame, self.permit.take())
                .await?;
        }
        let needed = self.frames.needed(bytes);
        if !self.frames.is_idle(bytes) && session.frame_deadline().is_none() {
            let allowed = limits::FRAME_TIMEOUT
                + Duration::from_secs(needed as u64 / limits::FRAME_BYTES_PER_SECOND_MIN);
            session.expect_frame_by(Some(now.plus(allowed)));
        }
        if needed > limits::READ_BYTES_MAX && self.permit.is_none() {
            self.permit = Some(dispatcher.budget.take(needed + bytes.len()).await);
        }
        Ok(())
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
