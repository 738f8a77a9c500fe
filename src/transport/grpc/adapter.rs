//! Between h2, which polls and borrows its buffers, and the ring, which owns them.
//!
//! Reads: one buffer circles between h2 and the ring. Writes: what h2 writes until it
//! flushes is gathered into one buffer and leaves in one operation.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::limits;

use super::super::socket::{ReadBuffer, Socket};

type ReadFuture = Pin<Box<dyn Future<Output = (io::Result<bool>, ReadBuffer)>>>;
type WriteFuture = Pin<Box<dyn Future<Output = io::Result<()>>>>;

/// Bytes gathered before a write starts without a flush.
const GATHER_BYTES: usize = 4 * limits::READ_BYTES_MAX;

pub struct H2Socket {
    socket: Socket,
    /// Follows the connection: an idle one holds little.
    read_buffer: ReadBuffer,
    reading: Option<ReadFuture>,
    write_buffer: Vec<u8>,
    writing: Option<WriteFuture>,
}

impl H2Socket {
    /// `first`: bytes read before the protocol was known.
    pub fn new(socket: Socket, first: ReadBuffer) -> Self {
        Self {
            socket,
            read_buffer: first,
            reading: None,
            write_buffer: Vec::new(),
            writing: None,
        }
    }

    fn start_write(&mut self) {
        let bytes = Bytes::from(std::mem::take(&mut self.write_buffer));
        let socket = self.socket.clone();
        self.writing = Some(Box::pin(async move { socket.write_all(bytes).await }));
    }

    fn poll_written(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(writing) = &mut self.writing {
            let result = ready!(writing.as_mut().poll(context));
            self.writing = None;
            result?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for H2Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.read_buffer.bytes.is_empty() {
            let reading = this.reading.get_or_insert_with(|| {
                let socket = this.socket.clone();
                let mut buffer = std::mem::take(&mut this.read_buffer);
                Box::pin(async move { (buffer.fill(&socket, 0).await, buffer) })
            });
            let (result, buffer) = ready!(reading.as_mut().poll(context));
            this.reading = None;
            this.read_buffer = buffer;
            result?;
        }
        let bytes = &mut this.read_buffer.bytes;
        let count = bytes.len().min(out.remaining());
        out.put_slice(&bytes[..count]);
        bytes.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for H2Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.write_buffer.len() >= GATHER_BYTES {
            ready!(self.poll_written(context))?;
            self.start_write();
        }
        self.write_buffer.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.write_buffer.len() >= GATHER_BYTES {
            ready!(self.poll_written(context))?;
            self.start_write();
        }
        let before = self.write_buffer.len();
        parts
            .iter()
            .for_each(|part| self.write_buffer.extend_from_slice(part));
        Poll::Ready(Ok(self.write_buffer.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_written(context))?;
            if self.write_buffer.is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.start_write();
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(context))?;
        self.socket.cut();
        Poll::Ready(Ok(()))
    }
}
