//! `openiap.FlowService/SetupStream` on tonic: every envelope comes back with `rid` = its `id`.

pub mod envelope;

// Written by build.rs; its style is the generator's.
#[allow(clippy::all, clippy::pedantic)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/openiap.FlowService.rs"));
}

pub use generated::{flow_service_client, flow_service_server};
