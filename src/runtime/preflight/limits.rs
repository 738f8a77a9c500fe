//! Limits of the process and the kernel.

use rustix::process::{Resource, getrlimit};

use super::{Check, Severity, kernel_file};

/// Descriptors for a busy server: its sessions and files, with room to spare.
const DESCRIPTORS_WANTED: u64 = 65_536;
/// Below this the server runs out at the first crowd.
const DESCRIPTORS_MIN: u64 = 256;
/// Locked memory that old kernels (before 5.12) count rings against, bytes.
const MEMLOCK_WANTED_BYTES: u64 = 8 * 1024 * 1024;
/// Connections waiting to be accepted.
const BACKLOG_WANTED: u64 = 4096;

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// `None` is unlimited.
fn limit_text(limit: Option<u64>) -> String {
    limit.map_or_else(|| "unlimited".into(), |limit| limit.to_string())
}

fn at_least(limit: Option<u64>, wanted: u64) -> bool {
    limit.is_none_or(|limit| limit >= wanted)
}

pub(super) fn descriptors() -> Check {
    let limit = getrlimit(Resource::Nofile);
    let severity = match at_least(limit.current, DESCRIPTORS_MIN) {
        true => Severity::Warning,
        false => Severity::Refusal,
    };
    // The soft limit may be raised by the process itself up to the hard one.
    Check::new(
        "open files",
        limit_text(limit.current),
        format!(">= {DESCRIPTORS_WANTED}"),
    )
    .because("every connection is one; beyond the limit new ones are refused")
    .unless(
        at_least(limit.current, DESCRIPTORS_WANTED),
        severity,
        format!(
            "ulimit -n {DESCRIPTORS_WANTED} (hard limit {}), or LimitNOFILE={DESCRIPTORS_WANTED} in the systemd unit",
            limit_text(limit.maximum)
        ),
    )
}

pub(super) fn memlock() -> Check {
    let limit = getrlimit(Resource::Memlock).current;
    Check::new(
        "locked memory",
        limit_text(limit),
        format!(">= {MEMLOCK_WANTED_BYTES} bytes"),
    )
    .because("kernels before 5.12 count rings against it, newer ones registered buffers")
    .unless(
        at_least(limit, MEMLOCK_WANTED_BYTES),
        Severity::Warning,
        "ulimit -l unlimited, or LimitMEMLOCK=infinity in the systemd unit",
    )
}

pub(super) fn backlog() -> Check {
    let text = kernel_file("/proc/sys/net/core/somaxconn").unwrap_or_else(|| "unknown".into());
    let fine = text.parse::<u64>().is_ok_and(|now| now >= BACKLOG_WANTED);
    Check::new("net.core.somaxconn", text, format!(">= {BACKLOG_WANTED}"))
        .because("bursts of new connections beyond it are dropped")
        .unless(
            fine,
            Severity::Warning,
            format!("sysctl -w net.core.somaxconn={BACKLOG_WANTED}"),
        )
}

pub(super) fn shards(wanted: usize) -> Check {
    let cores = cores();
    Check::new(
        "cores",
        format!("{cores}, shards {wanted}"),
        "one core per shard",
    )
    .because("two shards on one core take turns, and both stall")
    .unless(
        wanted <= cores,
        Severity::Warning,
        format!("--shards {cores}, or leave --shards out"),
    )
}

pub(super) fn hugepages() -> Check {
    let text = kernel_file("/sys/kernel/mm/transparent_hugepage/enabled");
    let chosen = text
        .as_deref()
        .and_then(|text| text.split('[').nth(1)?.split(']').next())
        .unwrap_or("not present")
        .to_string();
    let fine = chosen != "always";
    Check::new("transparent hugepages", chosen, "madvise or never")
        .because("always may make small buffers of idle connections resident by 2 MiB at a time")
        .unless(
            fine,
            Severity::Warning,
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_shards_than_cores_is_a_warning() {
        assert_eq!(shards(cores()).severity, Severity::Ok);
        let many = shards(cores() + 1);
        assert_eq!(many.severity, Severity::Warning);
        assert!(many.remedy.contains("--shards"));
    }

    #[test]
    fn unlimited_satisfies_every_bound() {
        assert!(at_least(None, u64::MAX));
        assert!(!at_least(Some(1), 2));
        assert_eq!(limit_text(None), "unlimited");
    }
}
