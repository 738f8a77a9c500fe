//! The COMMANDS table: what the server can do.
//!
//! One row per command: its messages, who may call it, whether a repeat is safe,
//! and the function that does it. Dispatch, metric labels and the conformance list
//! are read from it. A family of commands is a file; it knows the store by its
//! trait, and no transport, shard or backend.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

mod access;
mod collection;
mod delete;
mod identity;
mod insert;
pub mod locks;
mod plan;
mod read;
mod reply;
mod rules;
mod table;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod transport;
mod update;
mod upsert;
mod users;
mod writer;

pub use identity::user_of;
pub use table::{COMMANDS, NOT_YET, find, unknown};

use crate::auth::{Authority, Identity};
use crate::config::Settings;
use crate::error::Result;
use crate::seam::SharedSeam;
use crate::session::Session;
use crate::store::DocumentStore;

/// What handlers may use; one per shard.
pub struct Services {
    pub settings: Arc<Settings>,
    pub seam: SharedSeam,
    pub store: Rc<dyn DocumentStore>,
    pub authority: Rc<Authority>,
    /// One for the whole process, shared by its shards.
    pub locks: Arc<locks::KeyLocks>,
}

/// One request, authenticated and admitted.
pub struct Request {
    pub services: Rc<Services>,
    pub session: Rc<Session>,
    /// `None` only where the row says [`Access::Anyone`].
    pub identity: Option<Rc<Identity>>,
    /// The effective token of the message (contract 2.5).
    pub token: Option<Rc<str>>,
    /// The body: protobuf of the row's request message.
    pub body: Bytes,
    /// Envelope.priority, 0–3.
    pub priority: u8,
}

/// A reply: the name of its message and the message itself.
pub struct Reply {
    pub message: &'static str,
    pub body: Bytes,
}

pub type ReplyFuture = Pin<Box<dyn Future<Output = Result<Reply>>>>;

/// How a command runs.
pub enum Run {
    /// Answered on the spot from the body alone, whoever asks.
    Now(fn(&[u8]) -> Result<Reply>),
    /// May wait.
    Later(fn(Request) -> ReplyFuture),
    /// Consumed without an answer (contract 2.7).
    Silent,
    /// Refused with this text.
    Refused(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Transport,
    Identity,
    Read,
    Write,
    Collection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// No identity needed.
    Anyone,
    /// A token, or guest where guests are enabled.
    SignedIn,
}

/// What a client may do when it does not know whether its request was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    Safe,
    Unsafe,
}

pub struct Command {
    /// Lower case, as on the wire.
    pub name: &'static str,
    /// Message of the request in package `openiap`.
    pub request: &'static str,
    /// Command name of the reply where it is not the name with `reply` behind it.
    pub reply_command: Option<&'static str>,
    pub family: Family,
    pub access: Access,
    pub repeat: Repeat,
    /// Nothing else of the session starts until it ends (contract 1.6).
    pub barrier: bool,
    pub run: Run,
}
