//! Shards and what they stand on.

pub mod preflight;
