//! What this machine gives the server, as values; and which driver to run on.
//!
//! `opencore doctor` prints them, `serve` refuses on the same ones.

mod driver;
mod limits;
mod places;

use std::path::Path;

use crate::config::Settings;

pub use driver::{Refusal, choose_driver, probe_io_uring};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Ok,
    /// Runs, with a cost that `why` names.
    Warning,
    /// The server would not start.
    Refusal,
}

/// One check: what is, what should be, why it matters, how to change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    pub current: String,
    pub wanted: String,
    pub severity: Severity,
    pub why: String,
    /// What to do; empty when nothing is to be done.
    pub remedy: String,
}

impl Check {
    fn new(name: &'static str, current: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self {
            name,
            current: current.into(),
            wanted: wanted.into(),
            severity: Severity::Ok,
            why: String::new(),
            remedy: String::new(),
        }
    }

    fn because(mut self, why: &str) -> Self {
        self.why = why.to_string();
        self
    }

    /// Keeps severity and remedy only when the check has failed.
    fn unless(mut self, fine: bool, severity: Severity, remedy: impl Into<String>) -> Self {
        if !fine {
            self.severity = severity;
            self.remedy = remedy.into();
        }
        self
    }
}

/// Shards that run with these settings: as set, else one per core, at most `SHARDS_MAX`.
pub fn shard_count(settings: &Settings) -> usize {
    let wanted = settings.shards.map(|count| count.max(1) as usize);
    wanted
        .unwrap_or_else(limits::cores)
        .clamp(1, crate::limits::SHARDS_MAX)
}

/// Every check. Touches the machine only by reading, by binding and releasing the
/// addresses, and by one empty file in the data folder if that exists.
pub fn checks(settings: &Settings) -> Vec<Check> {
    let mut checks = vec![
        driver::kernel(),
        driver::io_uring(settings.driver),
        driver::io_uring_disabled(),
        limits::descriptors(),
        limits::memlock(),
        limits::backlog(),
        limits::shards(shard_count(settings)),
        limits::hugepages(),
        places::folder(&settings.data),
        places::free_space(&settings.data),
    ];
    checks.extend(settings.listen.iter().map(places::address));
    checks
}

/// The text of a file below /proc or /sys, without its last newline.
fn kernel_file(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(Path::new(path)).ok()?;
    Some(text.trim().to_string())
}
