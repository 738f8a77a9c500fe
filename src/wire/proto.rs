//! The messages of `proto/`, generated at build time.
//!
//! Rust field names are snake case (`_id` is `id`, `correlationId` is `correlation_id`);
//! the names on the wire and in JSON are those of `proto/`.

#![allow(clippy::all, clippy::pedantic, rustdoc::all)]

include!(concat!(env!("OUT_DIR"), "/openiap.rs"));

/// The serialized `FileDescriptorSet` of `proto/`, with the imported google files.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openiap.descriptors"));
