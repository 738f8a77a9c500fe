//! Identity, tokens, passwords, access control lists.
//!
//! One [`Authority`] per shard answers who is behind a token and keeps a copy of users
//! and roles that follows the change feed of `users`. Rights checks ([`acl`]) are pure
//! functions of an [`Identity`] and a raw document.

pub mod ace;
pub mod acl;
mod authority;
pub mod bootstrap;
mod cache;
pub mod directory;
mod gate;
pub mod identity;
pub mod password;
mod sign_in;
pub mod stamp;
pub mod token;
pub mod wellknown;

pub use authority::{Authority, Client};
pub use identity::{Identity, RoleName};
pub use password::Cost;
pub use sign_in::{SignedIn, fresh_id};
pub use token::Issued;
