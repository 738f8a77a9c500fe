//! Replies. A result that is JSON text in a string field, as most are, is written
//! straight into the bytes that leave: tag, length and text share one buffer.

use bytes::{Buf, Bytes};
use prost::Message;

use super::Reply;
use crate::error::{Error, Result};

/// Room for a tag (field numbers up to 15) and the longest length.
const HEAD_BYTES: usize = 1 + 10;
/// Room a text starts with: one small document. Writers that know of more reserve it at once.
const TEXT_BYTES_EXPECTED: usize = 1024;
/// Wire type of strings.
const LENGTH_DELIMITED: u8 = 2;

impl Reply {
    /// An encoded message; `message` is its name.
    pub fn of(message: &'static str, body: &impl Message) -> Reply {
        Reply {
            message,
            body: body.encode_to_vec().into(),
        }
    }

    /// A message of one string field, number `field` (1 to 15), whose text `write` appends.
    pub fn text(
        message: &'static str,
        field: u8,
        write: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Result<Reply> {
        let mut buffer = Vec::with_capacity(TEXT_BYTES_EXPECTED);
        buffer.extend_from_slice(&[0; HEAD_BYTES]);
        write(&mut buffer)?;
        let text_bytes = buffer.len() - HEAD_BYTES;
        if text_bytes == 0 {
            return Ok(Reply {
                message,
                body: Bytes::new(),
            });
        }
        // proto3 lengths are int32: a longer text could not be read by any client.
        if i32::try_from(text_bytes).is_err() {
            return Err(Error::too_large(format!(
                "The result takes {text_bytes} bytes as JSON, more than one message can hold: ask for fewer documents or fields"
            )));
        }
        let mut length = [0; 10];
        let length = varint(text_bytes, &mut length);
        let start = HEAD_BYTES - 1 - length.len();
        buffer[start] = field << 3 | LENGTH_DELIMITED;
        buffer[start + 1..HEAD_BYTES].copy_from_slice(length);
        // Cut off in place: a slice would count one more owner only to drop the first.
        let mut body = Bytes::from(buffer);
        body.advance(start);
        Ok(Reply { message, body })
    }
}

fn varint(mut value: usize, out: &mut [u8; 10]) -> &[u8] {
    let mut count = 0;
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        out[count] = if value == 0 { low } else { low | 0x80 };
        count += 1;
        if value == 0 {
            return &out[..count];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::proto::QueryResponse;

    #[test]
    fn text_written_in_place_is_the_message_prost_writes() {
        for size in [0, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            let text = "x".repeat(size);
            let written = Reply::text("QueryResponse", 1, |out| {
                out.extend_from_slice(text.as_bytes());
                Ok(())
            });
            let encoded = Reply::of("QueryResponse", &QueryResponse { results: text });
            assert_eq!(written.unwrap().body, encoded.body, "{size}");
        }
    }
}
