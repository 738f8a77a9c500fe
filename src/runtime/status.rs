//! What the running server says of itself: read by the banner and the monitoring page.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::session::registry::Gauges;

/// Shared by all threads of the process.
pub struct ServerStatus {
    /// `io_uring` or `epoll`.
    pub driver: &'static str,
    pub addresses: Vec<String>,
    pub pipes: Vec<String>,
    pub data: PathBuf,
    pub gauges: Vec<Arc<Gauges>>,
    draining: AtomicBool,
}

impl ServerStatus {
    pub fn new(
        driver: &'static str,
        addresses: Vec<String>,
        pipes: Vec<String>,
        data: PathBuf,
        gauges: Vec<Arc<Gauges>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            driver,
            addresses,
            pipes,
            data,
            gauges,
            draining: AtomicBool::new(false),
        })
    }

    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether new connections are welcome.
    pub fn is_ready(&self) -> bool {
        !self.draining.load(Ordering::Relaxed)
    }
}
