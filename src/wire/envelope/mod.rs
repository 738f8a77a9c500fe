//! The envelope: its head read in place, its replies written by hand.
//!
//! Most messages are routed, not read, so a full decode at the door would be wasted work:
//! [`Head::scan`] finds the routing fields and the byte range of the body, and
//! [`write_reply`] writes everything up to the body, which is gathered after it unchanged.

mod cursor;
mod fault;
mod head;
mod reply;

pub use head::Head;
pub use reply::{Outgoing, TYPE_URL_PREFIX, write_reply};

#[cfg(test)]
mod tests;
