//! What the server writes before each body, by door.

use std::ops::Range;

use crate::limits::WS_MESSAGE_BYTES_MAX;

/// FIN and opcode 2: one whole binary message.
const WS_BINARY_FINAL: u8 = 0x82;

/// How a door marks the bounds of a message it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// TCP and pipe: 4 bytes, little-endian.
    LengthPrefix,
    /// A binary message of exactly the 4 length bytes, then the body in binary messages
    /// of its own: the only split that every client accepts (contract 1.3).
    WebSocket,
    /// A zero flag byte and 4 bytes, big-endian.
    Grpc,
    /// The door delimits messages itself.
    Bare,
}

impl Framing {
    /// Appends what stands before a body of `body_len` bytes, at most
    /// [`FRAME_BYTES_MAX`](crate::limits::FRAME_BYTES_MAX).
    ///
    /// For WebSocket this ends with the header of the first body message. A body above
    /// [`WS_MESSAGE_BYTES_MAX`] needs further headers inside: take [`ws_split`], whose
    /// first part this has written already.
    pub fn put_header(&self, body_len: usize, out: &mut Vec<u8>) {
        // A body is bounded far below 4 GiB; should that ever break, the peer sees an
        // impossible length and closes, rather than a small one and misparses.
        let announced = u32::try_from(body_len).unwrap_or(u32::MAX);
        match self {
            Framing::LengthPrefix => out.extend_from_slice(&announced.to_le_bytes()),
            Framing::WebSocket => {
                out.extend_from_slice(&[WS_BINARY_FINAL, 4]);
                out.extend_from_slice(&announced.to_le_bytes());
                let first = WebSocketHeader::binary(body_len.min(WS_MESSAGE_BYTES_MAX));
                out.extend_from_slice(first.as_ref());
            }
            Framing::Grpc => {
                out.push(0);
                out.extend_from_slice(&announced.to_be_bytes());
            }
            Framing::Bare => {}
        }
    }

    /// True if a body of `body_len` bytes has headers inside it, see [`ws_split`].
    pub fn splits(&self, body_len: usize) -> bool {
        *self == Framing::WebSocket && body_len > WS_MESSAGE_BYTES_MAX
    }
}

/// The header of an unmasked binary WebSocket message: 2, 4 or 10 bytes (RFC 6455, 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebSocketHeader {
    bytes: [u8; 10],
    len: u8,
}

impl WebSocketHeader {
    pub fn binary(payload_len: usize) -> Self {
        let mut bytes = [WS_BINARY_FINAL, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let len = match payload_len {
            0..=125 => {
                bytes[1] = payload_len as u8;
                2
            }
            126..=0xffff => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&(payload_len as u16).to_be_bytes());
                4
            }
            _ => {
                bytes[1] = 127;
                bytes[2..].copy_from_slice(&(payload_len as u64).to_be_bytes());
                10
            }
        };
        Self { bytes, len }
    }
}

impl AsRef<[u8]> for WebSocketHeader {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// One WebSocket message of a body: its header, and the part of the body it carries.
pub type FramePart = (WebSocketHeader, Range<usize>);

/// The messages that carry a body of `body_len` bytes, each at most
/// [`WS_MESSAGE_BYTES_MAX`]; one for an empty body.
pub fn ws_split(body_len: usize) -> impl ExactSizeIterator<Item = FramePart> {
    let parts = body_len.div_ceil(WS_MESSAGE_BYTES_MAX).max(1);
    (0..parts).map(move |part| {
        let start = part * WS_MESSAGE_BYTES_MAX;
        let end = (start + WS_MESSAGE_BYTES_MAX).min(body_len);
        (WebSocketHeader::binary(end - start), start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(framing: Framing, body_len: usize) -> Vec<u8> {
        let mut out = Vec::new();
        framing.put_header(body_len, &mut out);
        out
    }

    #[test]
    fn each_door_has_its_header() {
        assert_eq!(header(Framing::LengthPrefix, 0x0102), [2, 1, 0, 0]);
        assert_eq!(header(Framing::Grpc, 0x0102), [0, 0, 0, 1, 2]);
        assert!(header(Framing::Bare, 9).is_empty());
    }

    #[test]
    fn websocket_sends_the_length_as_a_message_of_its_own() {
        assert_eq!(
            header(Framing::WebSocket, 125),
            [0x82, 4, 125, 0, 0, 0, 0x82, 125]
        );
        assert_eq!(
            header(Framing::WebSocket, 126),
            [0x82, 4, 126, 0, 0, 0, 0x82, 126, 0, 126]
        );
        assert_eq!(
            header(Framing::WebSocket, 65_535),
            [0x82, 4, 0xff, 0xff, 0, 0, 0x82, 126, 0xff, 0xff]
        );
        assert_eq!(
            header(Framing::WebSocket, 65_536),
            [0x82, 4, 0, 0, 1, 0, 0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]
        );
    }

    #[test]
    fn large_bodies_are_split_and_the_first_header_is_the_one_put() {
        for body_len in [
            0,
            1,
            WS_MESSAGE_BYTES_MAX - 1,
            WS_MESSAGE_BYTES_MAX,
            WS_MESSAGE_BYTES_MAX + 1,
            3 * WS_MESSAGE_BYTES_MAX + 7,
        ] {
            let parts: Vec<_> = ws_split(body_len).collect();
            let put = header(Framing::WebSocket, body_len);
            assert_eq!(&put[6..], parts[0].0.as_ref(), "{body_len}");
            assert_eq!(
                Framing::WebSocket.splits(body_len),
                parts.len() > 1,
                "{body_len}"
            );
            let mut at = 0;
            for (header, range) in parts {
                assert_eq!(range.start, at);
                assert!(range.len() <= WS_MESSAGE_BYTES_MAX);
                assert_eq!(header, WebSocketHeader::binary(range.len()));
                at = range.end;
            }
            assert_eq!(at, body_len);
        }
    }
}
