//! Document logic over raw BSON: JSON text in and out, filters, projections, sorts, the order of values.
//!
//! Pure: no sockets, no storage, no users, no clock. Documents stay bytes
//! ([`bson::raw::RawDocument`]) from the JSON text that brings them to the JSON text
//! that takes them away; nothing here builds a tree of them, and key order is kept,
//! since it is part of a document's meaning.

pub mod compare;
pub mod filter;
pub mod json;
pub mod number;
pub mod object_id;
pub mod path;
pub mod projection;
pub mod raw;
pub mod sort;

#[cfg(test)]
mod testing;
