//! Where one message ends and the next begins, on every door.

mod decoder;
mod framing;

pub use decoder::FrameDecoder;
pub use framing::{FramePart, Framing, WebSocketHeader, ws_split};
