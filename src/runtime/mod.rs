//! Shards: one pinned thread and one ring each, the mesh between them, placement,
//! preflight, stalls and drain. Knows no command.

pub mod mesh;
pub mod placement;
pub mod preflight;
pub mod seam;
pub mod serve;
mod shard;
mod signals;
pub mod status;
mod sweep;
