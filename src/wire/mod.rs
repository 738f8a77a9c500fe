//! Bytes to values and back: frames, envelopes, sequence numbers, messages.
//!
//! Pure: no socket, no clock, no task. The head of an envelope is scanned in place and its
//! body stays bytes until the handler that wants it, so queue messages and file parts pass
//! through unread.

pub mod envelope;
pub mod frame;
pub mod json_body;
pub mod names;
pub mod proto;
pub mod rest;
pub mod sequence;
