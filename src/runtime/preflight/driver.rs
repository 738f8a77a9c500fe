//! io_uring: is it there, and if it is refused, by whom and what to do.

use std::io;

use compio::driver::{DriverType, ProactorBuilder};
use rustix::io::Errno;

use super::{Check, Severity, kernel_file};
use crate::config::Driver;
use crate::error::{Code, Error, Result, Retry};

/// Oldest kernel on which the shard's ring has all it uses without a slower path:
/// 6.1 brought IORING_SETUP_DEFER_TASKRUN.
const KERNEL_WANTED: (u32, u32) = (6, 1);
/// Entries of the probing ring.
const PROBE_ENTRIES: u32 = 8;

/// Why io_uring is not to be had, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: String,
    pub remedy: String,
}

/// Builds and drops a small ring.
pub fn probe_io_uring() -> std::result::Result<(), Refusal> {
    let built = ProactorBuilder::new()
        .capacity(PROBE_ENTRIES)
        .driver_type(DriverType::IoUring)
        .build();
    match built {
        Ok(_) => Ok(()),
        Err(error) => {
            let disabled = kernel_file("/proc/sys/kernel/io_uring_disabled");
            Err(explain(&error, disabled.as_deref()))
        }
    }
}

/// From the error of `io_uring_setup` to who refused and the remedy.
fn explain(error: &io::Error, disabled: Option<&str>) -> Refusal {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    let (name, remedy) = match (errno, disabled) {
        (Some(Errno::PERM | Errno::ACCESS), Some(level @ ("1" | "2"))) => (
            format!("EPERM, kernel.io_uring_disabled is {level}"),
            "the system's administrator switched it off: `sysctl -w kernel.io_uring_disabled=0`",
        ),
        (Some(Errno::PERM | Errno::ACCESS), _) => (
            "EPERM".to_string(),
            "the container's seccomp profile blocks it: run docker or podman with \
             `--security-opt seccomp=tuning/seccomp.json`",
        ),
        (Some(Errno::NOSYS), _) => (
            "ENOSYS".to_string(),
            "the kernel or sandbox does not have it: Linux 5.19 or newer is needed (gVisor has none)",
        ),
        (Some(Errno::NOMEM), _) => (
            "ENOMEM".to_string(),
            "the limit on locked memory is too low: `ulimit -l unlimited`, or LimitMEMLOCK=infinity \
             in the systemd unit",
        ),
        (Some(Errno::MFILE | Errno::NFILE), _) => (
            "EMFILE".to_string(),
            "too many open files: raise `ulimit -n`",
        ),
        _ => (
            error.to_string(),
            "an unexpected refusal: please report it with the kernel version",
        ),
    };
    Refusal {
        reason: format!("io_uring_setup: {name}"),
        remedy: format!("{remedy}; or choose --driver epoll"),
    }
}

/// The driver to run on, and why it is not io_uring when `auto` had to fall back.
/// `Unavailable` with the remedy when io_uring was asked for by name and is refused.
pub fn choose_driver(wanted: Driver) -> Result<(Driver, Option<String>)> {
    choose(wanted, probe_io_uring)
}

fn choose(
    wanted: Driver,
    probe: impl FnOnce() -> std::result::Result<(), Refusal>,
) -> Result<(Driver, Option<String>)> {
    if wanted == Driver::Epoll {
        return Ok((Driver::Epoll, None));
    }
    match (probe(), wanted) {
        (Ok(()), _) => Ok((Driver::IoUring, None)),
        (Err(refusal), Driver::Auto) => Ok((
            Driver::Epoll,
            Some(format!("{} ({})", refusal.reason, refusal.remedy)),
        )),
        (Err(refusal), _) => Err(Error::backend(
            Code::Unavailable,
            Retry::Never,
            format!("driver io_uring: {}: {}", refusal.reason, refusal.remedy),
        )),
    }
}

pub(super) fn kernel() -> Check {
    let release = kernel_file("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".into());
    let (major, minor) = KERNEL_WANTED;
    let fine = version(&release).is_some_and(|version| version >= KERNEL_WANTED);
    Check::new("kernel", release, format!(">= {major}.{minor}"))
        .because("older kernels interrupt a shard for every completion")
        .unless(
            fine,
            Severity::Warning,
            "run a newer kernel, or accept the cost",
        )
}

/// Major and minor of `6.18.44-generic`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

pub(super) fn io_uring(wanted: Driver) -> Check {
    let check = |current: String| {
        Check::new("io_uring", current, "available")
            .because("epoll needs a system call per read and write; a ring takes a batch in one")
    };
    let severity = match wanted {
        Driver::IoUring => Severity::Refusal,
        Driver::Auto => Severity::Warning,
        Driver::Epoll => Severity::Ok,
    };
    match probe_io_uring() {
        Ok(()) => check("available".into()),
        Err(refusal) => check(refusal.reason).unless(false, severity, refusal.remedy),
    }
}

pub(super) fn io_uring_disabled() -> Check {
    let level = kernel_file("/proc/sys/kernel/io_uring_disabled");
    let fine = !matches!(level.as_deref(), Some("1" | "2"));
    let current = level.unwrap_or_else(|| "not present".into());
    Check::new("kernel.io_uring_disabled", current, "0")
        .because("1 refuses io_uring to ordinary users, 2 to everybody")
        .unless(
            fine,
            Severity::Warning,
            "sysctl -w kernel.io_uring_disabled=0",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(errno: Errno, disabled: Option<&str>) -> Refusal {
        explain(
            &io::Error::from_raw_os_error(errno.raw_os_error()),
            disabled,
        )
    }

    #[test]
    fn every_refusal_names_its_remedy() {
        assert!(refusal(Errno::PERM, None).remedy.contains("seccomp"));
        assert!(refusal(Errno::PERM, Some("0")).remedy.contains("seccomp"));
        let sysctl = refusal(Errno::PERM, Some("2"));
        assert!(sysctl.remedy.contains("io_uring_disabled=0") && sysctl.reason.contains("is 2"));
        assert!(refusal(Errno::NOSYS, None).remedy.contains("kernel"));
        assert!(refusal(Errno::NOMEM, None).remedy.contains("ulimit -l"));
        assert!(
            refusal(Errno::INVAL, None)
                .remedy
                .contains("--driver epoll")
        );
    }

    #[test]
    fn auto_falls_back_with_a_reason_and_a_named_driver_refuses() {
        let refused = || {
            Err(Refusal {
                reason: "io_uring_setup: EPERM".into(),
                remedy: "do this".into(),
            })
        };
        let (driver, reason) = choose(Driver::Auto, refused).unwrap();
        assert_eq!(driver, Driver::Epoll);
        assert!(reason.unwrap().contains("EPERM"));
        let error = choose(Driver::IoUring, refused).unwrap_err();
        assert!(error.context.contains("EPERM") && error.context.contains("do this"));
        assert_eq!(choose(Driver::Auto, || Ok(())).unwrap().0, Driver::IoUring);
        assert_eq!(
            choose(Driver::Epoll, || Ok(())).unwrap(),
            (Driver::Epoll, None)
        );
    }

    #[test]
    fn reads_kernel_versions() {
        assert_eq!(version("6.18.44-fc"), Some((6, 18)));
        assert_eq!(version("5.4"), Some((5, 4)));
        assert_eq!(version("unknown"), None);
    }
}
