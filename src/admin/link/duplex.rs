//! Bytes between HTTP/2, which polls, and the socket, which owns its buffers.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::signal::Signal;
use crate::limits::CLIENT_DUPLEX_BYTES_MAX;

#[derive(Default)]
struct State {
    inbound: BytesMut,
    outbound: Vec<u8>,
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// The end that HTTP/2 holds; clones share the bytes.
#[derive(Clone, Default)]
pub(super) struct Duplex {
    state: Rc<RefCell<State>>,
    /// Set when there is something for the socket.
    pub ready: Rc<Signal>,
}

impl Duplex {
    /// Bytes from the socket.
    pub fn feed(&self, bytes: &[u8]) {
        let mut state = self.state.borrow_mut();
        state.inbound.extend_from_slice(bytes);
        if let Some(waker) = state.reader.take() {
            waker.wake();
        }
    }

    /// Bytes for the socket; `empty` collects the next ones.
    pub fn take(&self, empty: Vec<u8>) -> Vec<u8> {
        let mut state = self.state.borrow_mut();
        if let Some(waker) = state.writer.take() {
            waker.wake();
        }
        std::mem::replace(&mut state.outbound, empty)
    }

    /// The socket has ended: reads end, writes fail.
    pub fn close(&self) {
        let mut state = self.state.borrow_mut();
        state.closed = true;
        for waker in [state.reader.take(), state.writer.take()]
            .into_iter()
            .flatten()
        {
            waker.wake();
        }
    }
}

impl AsyncRead for Duplex {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.state.borrow_mut();
        let len = state.inbound.len().min(buffer.remaining());
        if len == 0 && !state.closed {
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        buffer.put_slice(&state.inbound[..len]);
        state.inbound.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state.borrow_mut();
        if state.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = CLIENT_DUPLEX_BYTES_MAX.saturating_sub(state.outbound.len());
        if room == 0 {
            state.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let len = room.min(bytes.len());
        state.outbound.extend_from_slice(&bytes[..len]);
        Poll::Ready(Ok(len))
    }

    // HTTP/2 flushes when it has nothing more to say: one wake for all of it.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ready.notify();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ready.notify();
        Poll::Ready(Ok(()))
    }
}
