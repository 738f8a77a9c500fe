//! Any bytes, in any pieces: the decoder never panics, and the pieces do not matter.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use opencore::wire::frame::FrameDecoder;

/// Frames, and whether the stream ended in a refusal.
fn decode(mut decoder: FrameDecoder, stream: &[u8], piece_len: usize) -> (Vec<Bytes>, bool) {
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    for piece in stream.chunks(piece_len) {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.next(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => {
                    assert!(
                        decoder.needed(&buffer) > 0,
                        "no progress and nothing needed"
                    );
                    break;
                }
                Err(_) => return (frames, true),
            }
        }
    }
    (frames, false)
}

fuzz_target!(|input: (bool, u8, &[u8])| {
    let (grpc, piece_len, stream) = input;
    let piece_len = usize::from(piece_len).max(1);
    let decoder = || match grpc {
        true => FrameDecoder::grpc(),
        false => FrameDecoder::length_prefixed(),
    };
    let whole = decode(decoder(), stream, stream.len().max(1));
    let pieces = decode(decoder(), stream, piece_len);
    assert_eq!(whole, pieces);
    let framed: usize = whole.0.iter().map(|frame| frame.len()).sum();
    assert!(framed <= stream.len());
});
