//! opencore: an OpenIAP-compatible automation server in one binary.
//!
//! The map of the house; each layer uses only those above it (`tests/tidy.rs` holds it):
//!
//! | layer | rooms | job |
//! | --- | --- | --- |
//! | 0 | [`limits`] [`error`] [`seam`] [`lanes`] | bounds; refusals; clock, chance, sleep, spawn; lock-free priority lanes |
//! | 1 | [`config`] [`wire`] [`document`] | settings; frames and envelopes; document logic over BSON. Pure |
//! | 2 | [`store`] | what a document database must do, and the embedded one |
//! | 3 | [`auth`] | identity, tokens, passwords, access control lists |
//! | 4 | [`session`] | who is connected: identity, sequence, permits, outbox |
//! | 5 | [`command`] | the COMMANDS table, one file per family |
//! | 6 | [`dispatch`] | one request: look up, admit, authenticate, decode, call, account, reply |
//! | 7 | [`transport`] | accept and sniff; tcp, pipe, websocket, grpc, http |
//! | 8 | [`runtime`] | shards, the mesh between them, placement, preflight, stalls, drain |
//! | 9 | [`admin`] | monitoring page, command line, load tool |
//!
//! `unsafe` is allowed in these rooms only, each block with its reason: `store/embedded/environment`.

pub mod admin;
pub mod auth;
pub mod command;
pub mod config;
pub mod dispatch;
pub mod document;
pub mod error;
pub mod lanes;
pub mod limits;
pub mod runtime;
pub mod seam;
pub mod session;
pub mod store;
pub mod transport;
pub mod wire;
