//! Where frames end. A frame is a `u32` little-endian byte count and that many bytes of body.
//!
//! An echo answers with the same bytes, so all complete frames in a buffer are one prefix of it
//! and one write. No peer copies a body; what is measured is the way to the kernel and back.

/// Largest body accepted, in bytes; the product's own limit.
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Size of a connection's read buffer at its start, in bytes: 16 frames of 4 KiB fit.
pub const BUFFER_BYTES: usize = 72 * 1024;
/// A read is given at least this much room, in bytes.
const READ_ROOM_BYTES: usize = 16 * 1024;
const PREFIX_BYTES: usize = 4;

/// A prefix announced more than [`FRAME_BYTES_MAX`]; the connection is to be closed.
#[derive(Debug, PartialEq, Eq)]
pub struct FrameTooLong;

/// Length in bytes of the complete frames at the start of `input`.
///
/// # Errors
/// [`FrameTooLong`] as soon as a prefix says so, before its body arrives.
pub fn complete_bytes(input: &[u8]) -> Result<usize, FrameTooLong> {
    let mut end = 0;
    while let Some(prefix) = input[end..].first_chunk::<PREFIX_BYTES>() {
        let body = u32::from_le_bytes(*prefix) as usize;
        if body > FRAME_BYTES_MAX {
            return Err(FrameTooLong);
        }
        let next = end + PREFIX_BYTES + body;
        if next > input.len() {
            break;
        }
        end = next;
    }
    Ok(end)
}

/// A read buffer of the starting size, empty.
pub fn new_buffer() -> Vec<u8> {
    Vec::with_capacity(BUFFER_BYTES)
}

/// Forgets the first `done` bytes, which were echoed, moves the begun frame to the front and
/// makes room for the next read. `done` is at most the buffer's length.
pub fn keep_tail(buffer: &mut Vec<u8>, done: usize) {
    let tail = buffer.len() - done;
    if tail > 0 && done > 0 {
        buffer.copy_within(done.., 0);
    }
    buffer.truncate(tail);
    if buffer.capacity() - tail < READ_ROOM_BYTES {
        buffer.reserve(BUFFER_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_frames() -> Vec<u8> {
        let mut bytes = vec![3, 0, 0, 0, 1, 2, 3];
        bytes.extend([0, 0, 0, 0]);
        bytes
    }

    #[test]
    fn every_split_gives_whole_frames() {
        let bytes = two_frames();
        for end in 0..=bytes.len() {
            let expected = if end == 11 {
                11
            } else if end >= 7 {
                7
            } else {
                0
            };
            assert_eq!(complete_bytes(&bytes[..end]), Ok(expected), "{end} bytes");
        }
    }

    #[test]
    fn a_length_above_the_limit_is_refused_at_once() {
        let length = u32::try_from(FRAME_BYTES_MAX).unwrap() + 1;
        assert_eq!(complete_bytes(&length.to_le_bytes()), Err(FrameTooLong));
        assert_eq!(complete_bytes(&(length - 1).to_le_bytes()), Ok(0));
    }

    #[test]
    fn the_tail_moves_to_the_front() {
        let mut buffer = two_frames();
        keep_tail(&mut buffer, 7);
        assert_eq!(buffer, [0, 0, 0, 0]);
        assert!(buffer.capacity() - buffer.len() >= READ_ROOM_BYTES);
    }
}
