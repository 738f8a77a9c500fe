//! The commands on a real store.

mod bodies;
mod delete;
mod identity;
mod insert;
mod read;
mod update;
mod upsert;
mod users;
