//! WebSocket frames from a client: headers by the kept codec, payload unmasked in place
//! and passed on as it comes, so that a large message is never held twice.

use std::io::Cursor;

use bytes::{Buf, Bytes, BytesMut};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::error::{Error, Result};

/// Largest payload of a control frame (RFC 6455, 5.5).
const CONTROL_BYTES_MAX: u64 = 125;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes of the envelope stream.
    Data(BytesMut),
    Ping(Bytes),
    Pong,
    Close,
}

/// Decodes frames over any split of the bytes.
pub struct Frames {
    /// The data frame that is arriving: bytes left, mask, position in the mask.
    open: Option<(u64, [u8; 4], usize)>,
    /// A message goes on in continuation frames.
    continued: bool,
}

impl Frames {
    pub fn new() -> Self {
        Self {
            open: None,
            continued: false,
        }
    }

    /// Takes what can be taken from the front of `bytes`; `None`: more bytes are needed.
    ///
    /// Errors: a frame that breaks RFC 6455, or a text frame (contract 1.3: binary only).
    pub fn next(&mut self, bytes: &mut BytesMut) -> Result<Option<Event>> {
        loop {
            if let Some((left, mask, offset)) = self.open {
                if left == 0 {
                    self.open = None;
                    continue;
                }
                let count = (bytes.len() as u64).min(left) as usize;
                if count == 0 {
                    return Ok(None);
                }
                let mut data = bytes.split_to(count);
                unmask(&mut data, mask, offset);
                self.open = Some((left - count as u64, mask, (offset + count) % 4));
                return Ok(Some(Event::Data(data)));
            }
            let mut cursor = Cursor::new(&bytes[..]);
            let parsed = FrameHeader::parse(&mut cursor);
            let parsed =
                parsed.map_err(|error| violation(&format!("its header is not valid ({error})")))?;
            let Some((header, length)) = parsed else {
                return Ok(None);
            };
            let header_bytes = cursor.position() as usize;
            let mask = check(&header, length)?;
            match header.opcode {
                OpCode::Control(kind) => {
                    if ((bytes.len() - header_bytes) as u64) < length {
                        return Ok(None);
                    }
                    bytes.advance(header_bytes);
                    let mut payload = bytes.split_to(length as usize);
                    unmask(&mut payload, mask, 0);
                    return control(kind, payload).map(Some);
                }
                OpCode::Data(kind) => {
                    self.data(kind, header.is_final)?;
                    bytes.advance(header_bytes);
                    self.open = Some((length, mask, 0));
                }
            }
        }
    }

    fn data(&mut self, kind: Data, is_final: bool) -> Result<()> {
        match (kind, self.continued) {
            (Data::Binary, false) | (Data::Continue, true) => {}
            (Data::Binary, true) => return Err(violation("a new message starts inside another")),
            (Data::Continue, false) => return Err(violation("a continuation continues nothing")),
            (Data::Text, _) => {
                return Err(violation("it is text; envelopes travel in binary frames"));
            }
            (Data::Reserved(_), _) => return Err(violation("its opcode is reserved")),
        }
        self.continued = !is_final;
        Ok(())
    }
}

/// A pong that answers a ping; server frames carry no mask.
pub fn pong(payload: &[u8]) -> Bytes {
    let mut frame = vec![0x8a, payload.len() as u8];
    frame.extend_from_slice(payload);
    frame.into()
}

fn check(header: &FrameHeader, length: u64) -> Result<[u8; 4]> {
    if header.rsv1 || header.rsv2 || header.rsv3 {
        return Err(violation("it uses an extension that was not agreed"));
    }
    if matches!(header.opcode, OpCode::Control(_))
        && (length > CONTROL_BYTES_MAX || !header.is_final)
    {
        return Err(violation(
            "a control frame is fragmented or longer than 125 bytes",
        ));
    }
    header
        .mask
        .ok_or_else(|| violation("it is not masked, as frames of clients must be"))
}

fn control(kind: Control, payload: BytesMut) -> Result<Event> {
    match kind {
        Control::Ping => Ok(Event::Ping(payload.freeze())),
        Control::Pong => Ok(Event::Pong),
        Control::Close => Ok(Event::Close),
        Control::Reserved(_) => Err(violation("its opcode is reserved")),
    }
}

fn violation(what: &str) -> Error {
    Error::protocol(format!("A WebSocket frame was refused: {what}."))
}

/// XORs with the mask, eight bytes at a time.
fn unmask(data: &mut [u8], mask: [u8; 4], offset: usize) {
    if mask == [0; 4] {
        return;
    }
    let rotated: [u8; 4] = std::array::from_fn(|index| mask[(offset + index) % 4]);
    let wide = u64::from_ne_bytes(std::array::from_fn(|index| rotated[index % 4]));
    let (chunks, rest) = data.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (index, byte) in rest.iter_mut().enumerate() {
        *byte ^= rotated[index % 4];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
        let mut bytes = vec![first, 0x80 | payload.len() as u8];
        bytes.extend_from_slice(&mask);
        bytes.extend(
            payload
                .iter()
                .enumerate()
                .map(|(index, byte)| byte ^ mask[index % 4]),
        );
        bytes
    }

    fn data_of(bytes: &[u8], piece: usize) -> Result<Vec<u8>> {
        let (mut frames, mut buffer, mut data) = (Frames::new(), BytesMut::new(), Vec::new());
        for part in bytes.chunks(piece) {
            buffer.extend_from_slice(part);
            while let Some(event) = frames.next(&mut buffer)? {
                if let Event::Data(part) = event {
                    data.extend_from_slice(&part);
                }
            }
        }
        Ok(data)
    }

    #[test]
    fn any_split_gives_the_same_bytes() {
        let payload: Vec<u8> = (0..100).collect();
        let mut bytes = frame(0x02, &payload[..33], [9, 8, 7, 6]);
        bytes.extend(frame(0x89, b"ping", [1, 2, 3, 4]));
        bytes.extend(frame(0x80, &payload[33..], [5, 0, 250, 1]));
        for piece in 1..bytes.len() {
            assert_eq!(
                data_of(&bytes, piece).expect("valid"),
                payload,
                "pieces of {piece}"
            );
        }
    }

    #[test]
    fn what_breaks_the_rules_is_refused() {
        assert!(data_of(&frame(0x81, b"text", [1; 4]), 64).is_err(), "text");
        assert!(
            data_of(&frame(0xc2, b"x", [1; 4]), 64).is_err(),
            "reserved bit"
        );
        assert!(
            data_of(&frame(0x80, b"x", [1; 4]), 64).is_err(),
            "continuation of nothing"
        );
        assert!(
            data_of(&frame(0x09, b"x", [1; 4]), 64).is_err(),
            "fragmented control frame"
        );
        assert!(data_of(&[0x82, 1, b'x'], 64).is_err(), "no mask");
        let mut nested = frame(0x02, b"a", [1; 4]);
        nested.extend(frame(0x82, b"b", [1; 4]));
        assert!(data_of(&nested, 64).is_err(), "message inside a message");
    }
}
