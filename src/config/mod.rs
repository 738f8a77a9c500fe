//! Settings: declared once in [`table`], read from file, environment and flags.
//!
//! Pure: whoever starts the server hands in the file's text, the environment and
//! the flags ([`Sources`]); this room opens nothing. Precedence, highest first:
//! flag, environment, file, default. From the same table come the parser, the
//! environment names, the sample file and `--check`.

mod document;
mod load;
mod nearest;
mod parse;
mod sample;
mod table;

pub use document::config_json;
pub use load::{Loaded, Sources, load};
pub use nearest::nearest;
pub use parse::{Driver, LogFormat, duration_text, parse_duration};
pub use sample::sample;
pub use table::{Kind, NameIn, Reload, Setting, Settings, TABLE};
