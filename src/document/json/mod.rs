//! JSON text of the contract (3.4) to raw BSON and back, each in one pass.
//!
//! A document that is stored and a query that is asked have different conventions;
//! [`parse_document`] and [`parse_query`] say which. Key order is kept both ways.

mod dialect;
mod read;
mod scalar;
mod text;
pub mod timestamp;
mod write;

pub use read::{parse_document, parse_documents, parse_optional, parse_pipeline, parse_query};
pub use write::{write_document, write_documents, write_value};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod write_tests;
