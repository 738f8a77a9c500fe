//! What the tests of the whole server share: a server of their own, and a client for
//! every door that says no more than it is told to.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part")]

pub mod doors;
pub mod grpc;
pub mod message;
pub mod server;
pub mod websocket;

pub use doors::{Client, DOORS, Door, connect};
pub use message::Reply;
pub use server::Server;
