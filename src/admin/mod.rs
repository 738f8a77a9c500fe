//! What an operator meets: the command line, the banner, the doctor, the load tool.

pub mod banner;
pub mod call;
pub mod cli;
pub mod doctor;
#[expect(
    clippy::disallowed_methods,
    reason = "a client runs its own tasks and clock"
)]
pub mod link;
#[expect(
    clippy::disallowed_methods,
    reason = "a client runs its own tasks and clock"
)]
pub mod load;
#[expect(clippy::disallowed_methods, reason = "it waits for a server beside it")]
pub mod local;
pub mod logging;
pub mod pages;
pub mod rest;
pub mod serve;
pub mod users;
