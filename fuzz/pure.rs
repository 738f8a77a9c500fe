//! The pure rooms of the server, from its own files, under its own name: no socket, no
//! store, no runtime, so that little is built with instrumentation.

#[path = "../src/document/mod.rs"]
pub mod document;
#[path = "../src/error.rs"]
pub mod error;
#[path = "../src/limits.rs"]
pub mod limits;
#[path = "../src/wire/mod.rs"]
pub mod wire;
