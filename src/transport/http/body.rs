//! The body of an HTTP/1.1 request: by Content-Length or chunked, bounded.

use std::io;

use bytes::{Buf, Bytes, BytesMut};

use crate::error::{Error, Result};
use crate::limits;

use super::super::socket::{ReadBuffer, Socket};
use super::head::RequestHead;

/// Reads the whole body. The outer error is the connection's, the inner the client's.
pub async fn read(
    socket: &Socket,
    buffer: &mut ReadBuffer,
    head: &RequestHead,
) -> io::Result<Result<Bytes>> {
    if head.chunked {
        return chunks(socket, buffer).await;
    }
    let length = head.content_length.unwrap_or(0);
    while buffer.bytes.len() < length {
        more(socket, buffer, length - buffer.bytes.len()).await?;
    }
    Ok(Ok(buffer.bytes.split_to(length).freeze()))
}

async fn more(socket: &Socket, buffer: &mut ReadBuffer, needed: usize) -> io::Result<()> {
    if buffer.fill(socket, needed).await? {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

async fn chunks(socket: &Socket, buffer: &mut ReadBuffer) -> io::Result<Result<Bytes>> {
    let mut body = BytesMut::new();
    loop {
        let (line, size) = match httparse::parse_chunk_size(&buffer.bytes) {
            Ok(httparse::Status::Complete(parsed)) => parsed,
            Ok(httparse::Status::Partial) if buffer.bytes.len() < limits::HTTP_HEAD_BYTES_MAX => {
                more(socket, buffer, 1).await?;
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
            return Ok(Err(Error::too_large(format!(
                "The body is above the limit of {limit} bytes."
            ))));
        }
        let size = size as usize;
        while buffer.bytes.len() < line + size + 2 {
            let needed = line + size + 2 - buffer.bytes.len();
            more(socket, buffer, needed).await?;
        }
        buffer.bytes.advance(line);
        body.extend_from_slice(&buffer.bytes[..size]);
        buffer.bytes.advance(size);
        // Trailers are not used by any client; a body ends with an empty line.
        if &buffer.bytes[..2] != b"\r\n" {
            return Ok(Err(Error::protocol(
                "A chunk of the body does not end where its size says.",
            )));
        }
        buffer.bytes.advance(2);
        if size == 0 {
            return Ok(Ok(body.freeze()));
        }
    }
}
