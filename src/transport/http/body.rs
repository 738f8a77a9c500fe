//! The body of an HTTP/1.1 request: by Content-Length or chunked, bounded.

use std::io;
use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};

use crate::error::{Error, Result};
use crate::limits;
use crate::session::budget::{Budget, Permit};

use super::super::socket::{ReadBuffer, Socket};
use super::head::RequestHead;

/// Reads the whole body, taking memory for it as it comes. The outer error is the
/// connection's, the inner the client's.
pub async fn read(
    budget: &Rc<Budget>,
    socket: &Socket,
    buffer: &mut ReadBuffer,
    head: &RequestHead,
) -> io::Result<Result<(Bytes, Permit)>> {
    let mut reading = Reading {
        budget,
        socket,
        buffer,
        permit: budget.take(0).await,
    };
    let body = match head.content_length {
        Some(length) if !head.chunked => Ok(reading.exactly(length).await?),
        _ => reading.chunks().await?,
    };
    Ok(body.map(|body| (body, reading.permit)))
}

struct Reading<'a> {
    budget: &'a Rc<Budget>,
    socket: &'a Socket,
    buffer: &'a mut ReadBuffer,
    permit: Permit,
}

impl Reading<'_> {
    async fn exactly(&mut self, length: usize) -> io::Result<Bytes> {
        while self.buffer.bytes.len() < length {
            self.more(length - self.buffer.bytes.len(), 0).await?;
        }
        Ok(self.buffer.bytes.split_to(length).freeze())
    }

    /// Reads on; `held` bytes of the body lie elsewhere.
    async fn more(&mut self, needed: usize, held: usize) -> io::Result<()> {
        if held + self.buffer.bytes.len() >= self.permit.bytes() {
            let step = self.budget.take(limits::PERMIT_STEP_BYTES).await;
            self.permit.join(step);
        }
        match self.buffer.fill(self.socket, needed).await? {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    async fn chunks(&mut self) -> io::Result<Result<Bytes>> {
        let mut body = BytesMut::new();
        loop {
            let (line, size) = match httparse::parse_chunk_size(&self.buffer.bytes) {
                Ok(httparse::Status::Complete(parsed)) => parsed,
                Ok(httparse::Status::Partial)
                    if self.buffer.bytes.len() < limits::HTTP_HEAD_BYTES_MAX =>
                {
                    self.more(1, body.len()).await?;
                    continue;
                }
                _ => {
                    return Ok(Err(Error::protocol(
                        "A chunk of the body has no valid size line.",
                    )));
                }
            };
            if size > (limits::HTTP_BODY_BYTES_MAX - body.len()) as u64 {
                let limit = limits::HTTP_BODY_BYTES_MAX;
                let text = format!("The body is above the limit of {limit} bytes.");
                return Ok(Err(Error::too_large(text)));
            }
            let size = size as usize;
            while self.buffer.bytes.len() < line + size + 2 {
                let needed = line + size + 2 - self.buffer.bytes.len();
                self.more(needed, body.len()).await?;
            }
            let bytes = &mut self.buffer.bytes;
            bytes.advance(line);
            body.extend_from_slice(&bytes[..size]);
            bytes.advance(size);
            // Trailers are not used by any client; a body ends with an empty line.
            if &bytes[..2] != b"\r\n" {
                let text = "A chunk of the body does not end where its size says.";
                return Ok(Err(Error::protocol(text)));
            }
            bytes.advance(2);
            if size == 0 {
                return Ok(Ok(body.freeze()));
            }
        }
    }
}
