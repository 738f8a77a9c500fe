//! Cuts frames out of a read buffer without copying them.

use bytes::{Buf, Bytes, BytesMut};

use crate::error::{Error, Result};
use crate::limits::FRAME_BYTES_MAX;

/// What stands before each frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prefix {
    /// Four bytes, little-endian (contract 1.3).
    Length,
    /// One flag byte, then four bytes, big-endian.
    Grpc,
}

/// Finds frames in a byte stream that arrives in any pieces.
///
/// The caller owns the buffer and reads into it; frames are cut off its front and share
/// its memory. After an error the stream has no known position: close the connection.
#[derive(Debug)]
pub struct FrameDecoder {
    prefix: Prefix,
    /// Length of the frame in progress, its prefix already taken off the buffer.
    body_len: Option<usize>,
}

impl FrameDecoder {
    /// For TCP, pipe and the payload of WebSocket messages: a 4-byte little-endian count.
    /// A count of 0 is skipped.
    pub fn length_prefixed() -> Self {
        Self {
            prefix: Prefix::Length,
            body_len: None,
        }
    }

    /// For gRPC bodies: a flag byte and a 4-byte big-endian count. An empty message is a
    /// message; compressed ones are refused.
    pub fn grpc() -> Self {
        Self {
            prefix: Prefix::Grpc,
            body_len: None,
        }
    }

    /// Cuts the next complete frame off the front of `buffer`; `None` if it has not arrived yet.
    ///
    /// # Errors
    /// `Protocol` for a count of 2^31 or more or a compressed gRPC message; `TooLarge` for
    /// a count above [`FRAME_BYTES_MAX`].
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>> {
        loop {
            let body_len = match self.body_len {
                Some(body_len) => body_len,
                None => match self.take_prefix(buffer)? {
                    None => return Ok(None),
                    Some(0) if self.prefix == Prefix::Length => continue,
                    Some(body_len) => {
                        self.body_len = Some(body_len);
                        body_len
                    }
                },
            };
            if buffer.len() < body_len {
                return Ok(None);
            }
            self.body_len = None;
            return Ok(Some(buffer.split_to(body_len).freeze()));
        }
    }

    /// Bytes that must still arrive before [`next`](Self::next) can make progress, given
    /// what `buffer` holds: the rest of the prefix, or the rest of the frame. Reserve
    /// that much before reading. At least 1 after `next` returned `None`.
    pub fn needed(&self, buffer: &BytesMut) -> usize {
        let wanted = self.body_len.unwrap_or(self.prefix_len());
        wanted.saturating_sub(buffer.len())
    }

    /// True between frames: a stream that ends here ended cleanly.
    pub fn is_idle(&self, buffer: &BytesMut) -> bool {
        self.body_len.is_none() && buffer.is_empty()
    }

    fn prefix_len(&self) -> usize {
        match self.prefix {
            Prefix::Length => 4,
            Prefix::Grpc => 5,
        }
    }

    fn take_prefix(&self, buffer: &mut BytesMut) -> Result<Option<usize>> {
        if buffer.len() < self.prefix_len() {
            return Ok(None);
        }
        let announced = match self.prefix {
            Prefix::Length => buffer.get_u32_le(),
            Prefix::Grpc => {
                if buffer.get_u8() != 0 {
                    return Err(Error::protocol(
                        "a gRPC message is compressed and no compression was agreed on: \
                         send messages uncompressed (grpc-encoding: identity)",
                    ));
                }
                buffer.get_u32()
            }
        };
        // Signed receivers (contract 1.3) read these as negative: not a size but noise.
        if announced > i32::MAX as u32 {
            return Err(Error::protocol(format!(
                "a frame announces {announced} bytes, at or above 2^31: this is not a length \
                 prefix (4 bytes, little-endian)"
            )));
        }
        let body_len = announced as usize;
        if body_len > FRAME_BYTES_MAX {
            return Err(Error::too_large(format!(
                "a frame announces {body_len} bytes, the largest accepted is {FRAME_BYTES_MAX}: \
                 send large content as a file (upload)"
            )));
        }
        Ok(Some(body_len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use proptest::prelude::*;

    fn framed(bodies: &[Vec<u8>]) -> Vec<u8> {
        let mut stream = Vec::new();
        for body in bodies {
            stream.extend_from_slice(&(body.len() as u32).to_le_bytes());
            stream.extend_from_slice(body);
        }
        stream
    }

    #[test]
    fn a_length_of_zero_is_skipped_and_needed_counts_down() {
        let mut decoder = FrameDecoder::length_prefixed();
        let mut buffer = BytesMut::new();
        assert_eq!(decoder.needed(&buffer), 4);
        assert!(decoder.is_idle(&buffer));
        buffer.extend_from_slice(&[0, 0, 0, 0, 3, 0]);
        assert!(decoder.next(&mut buffer).unwrap().is_none());
        assert_eq!(decoder.needed(&buffer), 2);
        buffer.extend_from_slice(&[0, 0, b'a']);
        assert!(decoder.next(&mut buffer).unwrap().is_none());
        assert_eq!(decoder.needed(&buffer), 2);
        assert!(!decoder.is_idle(&buffer));
        buffer.extend_from_slice(b"bc!");
        assert_eq!(
            decoder.next(&mut buffer).unwrap().as_deref(),
            Some(&b"abc"[..])
        );
        assert_eq!(&buffer[..], b"!");
    }

    #[test]
    fn frames_share_the_memory_of_the_buffer() {
        let mut buffer = BytesMut::from(&framed(&[vec![7; 100]])[..]);
        let body_at = buffer[4..].as_ptr();
        let frame = FrameDecoder::length_prefixed()
            .next(&mut buffer)
            .unwrap()
            .unwrap();
        assert_eq!(frame.as_ptr(), body_at);
    }

    #[test]
    fn refusals_name_the_size_and_the_bound() {
        for (length, code, word) in [
            (i32::MAX as u32 + 1, Code::Protocol, "2147483648"),
            (u32::MAX, Code::Protocol, "4294967295"),
            (FRAME_BYTES_MAX as u32 + 1, Code::TooLarge, "167772161"),
        ] {
            let mut buffer = BytesMut::from(&length.to_le_bytes()[..]);
            let error = FrameDecoder::length_prefixed()
                .next(&mut buffer)
                .unwrap_err();
            assert_eq!(error.code, code);
            assert!(error.context.contains(word), "{error}");
        }
        let largest = (FRAME_BYTES_MAX as u32).to_le_bytes();
        let mut buffer = BytesMut::from(&largest[..]);
        let mut decoder = FrameDecoder::length_prefixed();
        assert!(decoder.next(&mut buffer).unwrap().is_none());
        assert_eq!(decoder.needed(&buffer), FRAME_BYTES_MAX);
    }

    #[test]
    fn grpc_messages_may_be_empty_but_not_compressed() {
        let mut decoder = FrameDecoder::grpc();
        let mut buffer = BytesMut::from(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'x'][..]);
        assert_eq!(
            decoder.next(&mut buffer).unwrap().as_deref(),
            Some(&b""[..])
        );
        assert_eq!(
            decoder.next(&mut buffer).unwrap().as_deref(),
            Some(&b"x"[..])
        );
        assert_eq!(decoder.needed(&buffer), 5);
        buffer.extend_from_slice(&[1, 0, 0, 0, 1]);
        assert_eq!(decoder.next(&mut buffer).unwrap_err().code, Code::Protocol);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_frames(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
            cuts in prop::collection::vec(1usize..30, 1..50),
        ) {
            let stream = framed(&bodies);
            let mut decoder = FrameDecoder::length_prefixed();
            let mut buffer = BytesMut::new();
            let mut frames = Vec::new();
            let (mut at, mut cut) = (0, 0);
            while at < stream.len() {
                let end = (at + cuts[cut % cuts.len()]).min(stream.len());
                buffer.extend_from_slice(&stream[at..end]);
                (at, cut) = (end, cut + 1);
                while let Some(frame) = decoder.next(&mut buffer).unwrap() {
                    frames.push(frame.to_vec());
                }
                prop_assert!(decoder.needed(&buffer) >= 1);
            }
            let expected: Vec<_> = bodies.into_iter().filter(|body| !body.is_empty()).collect();
            prop_assert_eq!(frames, expected);
            prop_assert!(decoder.is_idle(&buffer));
        }
    }
}
