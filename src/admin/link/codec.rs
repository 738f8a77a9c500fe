//! Envelopes to bytes and back, as the door of the target wants them.

use std::io::Cursor;

use bytes::{Buf, Bytes, BytesMut};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::{Target, closed_by_server};
use crate::error::{Error, Result};
use crate::limits::FRAME_BYTES_MAX;
use crate::wire::envelope::{Outgoing, write_reply};
use crate::wire::frame::FrameDecoder;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Length,
    WebSocket,
    Grpc,
}

impl Form {
    fn of(target: &Target) -> Self {
        match target {
            Target::WebSocket { .. } => Form::WebSocket,
            Target::Grpc { .. } => Form::Grpc,
            _ => Form::Length,
        }
    }
}

/// Requests on their way out.
pub struct Outbound {
    form: Form,
    buffer: Vec<u8>,
    seq: i32,
}

impl Outbound {
    pub fn new(target: &Target) -> Self {
        Self::starting_at(target, 0)
    }

    /// The next envelope will carry `seq`.
    pub fn starting_at(target: &Target, seq: i32) -> Self {
        Self {
            form: Form::of(target),
            buffer: Vec::new(),
            seq,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Everything appended so far; `empty` becomes the next buffer.
    pub fn take(&mut self, empty: Vec<u8>) -> Vec<u8> {
        std::mem::replace(&mut self.buffer, empty)
    }

    /// Appends one envelope with the connection's next sequence number and says which.
    pub fn send(&mut self, command: &str, id: &str, rid: &str, message: &str, body: &[u8]) -> i32 {
        let seq = self.seq;
        self.seq = self.seq.wrapping_add(1);
        let parts = Outgoing {
            command,
            seq,
            id,
            rid,
            type_name: message,
            body_len: body.len(),
            ..Outgoing::default()
        };
        self.head(parts.encoded_len());
        write_reply(&mut self.buffer, &parts);
        self.buffer.extend_from_slice(body);
        seq
    }

    fn head(&mut self, len: usize) {
        match self.form {
            Form::Length => self.buffer.extend_from_slice(&(len as u32).to_le_bytes()),
            Form::Grpc => {
                self.buffer.push(0);
                self.buffer.extend_from_slice(&(len as u32).to_be_bytes());
            }
            Form::WebSocket => {
                self.websocket(OpCode::Data(Data::Binary), len as u64 + 4);
                self.buffer.extend_from_slice(&(len as u32).to_le_bytes());
            }
        }
    }

    /// A client must mask (RFC 6455, 5.3); a mask of zeros leaves the bytes alone, so
    /// the tool does not pay for what it measures.
    fn websocket(&mut self, opcode: OpCode, len: u64) {
        let header = FrameHeader {
            opcode,
            mask: Some([0; 4]),
            ..FrameHeader::default()
        };
        // Writing to a Vec cannot fail.
        let _ = header.format(len, &mut self.buffer);
    }
}

/// Bytes that have arrived, until they are whole envelopes.
pub(super) struct Inbound {
    form: Form,
    bytes: BytesMut,
    /// Payload of WebSocket frames: the byte stream inside the stream.
    payload: BytesMut,
    frames: FrameDecoder,
}

impl Inbound {
    /// `rest` came with the handshake.
    pub fn new(target: &Target, rest: &[u8]) -> Self {
        let form = Form::of(target);
        Self {
            form,
            bytes: BytesMut::from(rest),
            payload: BytesMut::new(),
            frames: match form {
                Form::Grpc => FrameDecoder::grpc(),
                _ => FrameDecoder::length_prefixed(),
            },
        }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole envelope. Pings of the WebSocket layer are answered into `out`.
    pub fn next(&mut self, out: &mut Outbound) -> Result<Option<Bytes>> {
        if self.form != Form::WebSocket {
            return self.frames.next(&mut self.bytes);
        }
        loop {
            if let Some(frame) = self.frames.next(&mut self.payload)? {
                return Ok(Some(frame));
            }
            if !self.unwrap_frame(out)? {
                return Ok(None);
            }
        }
    }

    /// Moves the payload of one WebSocket frame; false when none is complete.
    fn unwrap_frame(&mut self, out: &mut Outbound) -> Result<bool> {
        let mut cursor = Cursor::new(&self.bytes[..]);
        let parsed = FrameHeader::parse(&mut cursor)
            .map_err(|cause| Error::protocol("the server's WebSocket frame").because(cause))?;
        let Some((header, len)) = parsed else {
            return Ok(false);
        };
        let start = cursor.position() as usize;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len > FRAME_BYTES_MAX {
            return Err(Error::protocol("the server's WebSocket frame is too large"));
        }
        if self.bytes.len() - start < len {
            return Ok(false);
        }
        self.bytes.advance(start);
        let payload = self.bytes.split_to(len);
        match header.opcode {
            OpCode::Data(Data::Binary | Data::Continue) => self.payload.unsplit(payload),
            OpCode::Control(Control::Ping) => {
                out.websocket(OpCode::Control(Control::Pong), len as u64);
                out.buffer.extend_from_slice(&payload);
            }
            OpCode::Control(Control::Close) => return Err(closed_by_server()),
            OpCode::Control(_) => {}
            OpCode::Data(_) => return Err(Error::protocol("the server sent WebSocket text")),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::envelope::Head;

    fn target(url: &str) -> Target {
        Target::parse(url).unwrap()
    }

    #[test]
    fn what_is_sent_is_read_back_in_any_pieces() {
        for url in ["tcp://h:1", "ws://h:1", "grpc://h:1"] {
            let mut out = Outbound::new(&target(url));
            for (n, size) in [0usize, 1, 200, 70_000].into_iter().enumerate() {
                let seq = out.send("insertone", "id", "", "InsertOneRequest", &vec![7; size]);
                assert_eq!(seq, n as i32);
            }
            let bytes = out.take(Vec::new());
            let mut inbound = Inbound::new(&target(url), &bytes[..3]);
            let mut sizes = Vec::new();
            for piece in bytes[3..].chunks(999) {
                inbound.feed(piece);
                while let Some(frame) = inbound.next(&mut out).unwrap() {
                    let head = Head::scan(&frame).unwrap();
                    assert_eq!((head.command, head.id), ("insertone", "id"));
                    assert_eq!(head.seq, sizes.len() as i32);
                    sizes.push(head.body(&frame).len());
                }
            }
            assert_eq!(sizes, [0, 1, 200, 70_000], "{url}");
            assert!(out.is_empty());
        }
    }

    #[test]
    fn websocket_pings_are_answered_and_a_close_ends_it() {
        let ws = target("ws://h:1");
        let mut out = Outbound::new(&ws);
        let mut inbound = Inbound::new(&ws, &[0x89, 2, b'h', b'i']);
        assert!(inbound.next(&mut out).unwrap().is_none());
        assert_eq!(out.take(Vec::new()), [0x8a, 0x82, 0, 0, 0, 0, b'h', b'i']);
        inbound.feed(&[0x88, 0]);
        assert!(inbound.next(&mut out).is_err());
        let mut text = Inbound::new(&ws, &[0x81, 1, b'x']);
        assert!(text.next(&mut out).is_err());
    }
}
