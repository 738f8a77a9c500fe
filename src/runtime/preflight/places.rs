//! Where the server keeps and listens: the data folder and the addresses.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use super::{Check, Severity};

/// Free space below which a warning is due, bytes.
const FREE_WANTED_BYTES: u64 = 1 << 30;
/// Free space below which nothing durable can be promised, bytes.
const FREE_MIN_BYTES: u64 = 16 << 20;

/// The folder itself, or the nearest parent that exists: where it would be made.
fn existing(folder: &Path) -> PathBuf {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    let found = absolute.ancestors().find(|part| part.exists());
    found.unwrap_or(Path::new("/")).to_path_buf()
}

pub(super) fn folder(data: &Path) -> Check {
    let check = |current: String| {
        Check::new("data folder", current, "writable")
            .because("everything acknowledged is kept there")
    };
    let place = existing(data);
    if !place.is_dir() {
        return check(format!("{} is not a folder", place.display())).unless(
            false,
            Severity::Refusal,
            "name another folder with --data",
        );
    }
    match write_probe(&place) {
        Ok(()) if place.ends_with(data) || data.exists() => {
            check(format!("{} writable", data.display()))
        }
        Ok(()) => check(format!("{} will be made", data.display())),
        Err(error) => check(format!("{}: {error}", place.display())).unless(
            false,
            Severity::Refusal,
            "give this user the right to write there, or name another folder with --data",
        ),
    }
}

/// Makes and removes one empty file whose name nobody else uses.
fn write_probe(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".opencore-probe-{}", std::process::id()));
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&probe)?;
    std::fs::remove_file(&probe)
}

pub(super) fn free_space(data: &Path) -> Check {
    let found = rustix::fs::statvfs(existing(data));
    let free = found.map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize));
    let (current, fine, severity) = match free {
        Ok(free) if free < FREE_MIN_BYTES => (mib(free), false, Severity::Refusal),
        Ok(free) => (mib(free), free >= FREE_WANTED_BYTES, Severity::Warning),
        Err(error) => (error.to_string(), false, Severity::Warning),
    };
    Check::new(
        "free space",
        current,
        format!(">= {}", mib(FREE_WANTED_BYTES)),
    )
    .because("a full disk refuses every write")
    .unless(
        fine,
        severity,
        "free some, or name another folder with --data",
    )
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

pub(super) fn address(address: &SocketAddr) -> Check {
    let (current, fine) = match TcpListener::bind(address) {
        Ok(_) => ("free".to_string(), true),
        Err(error) => (error.to_string(), false),
    };
    Check::new("address", format!("{address} {current}"), "free")
        .because("the server listens there")
        .unless(
            fine,
            Severity::Refusal,
            "stop what listens there (`ss -ltnp`), or name other addresses with --listen",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_one_is_refused() {
        let folder_ = tempfile::tempdir().unwrap();
        assert_eq!(folder(folder_.path()).severity, Severity::Ok);
        let inside = folder_.path().join("new/deep");
        let check = folder(&inside);
        assert_eq!(check.severity, Severity::Ok);
        assert!(check.current.contains("will be made"), "{}", check.current);
        assert!(!inside.exists());
        let file = folder_.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let check = folder(&file.join("below"));
        assert_eq!(check.severity, Severity::Refusal);
        assert!(check.remedy.contains("--data"));
    }

    #[test]
    fn a_taken_address_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = listener.local_addr().unwrap();
        assert_eq!(address(&taken).severity, Severity::Refusal);
        drop(listener);
        assert_eq!(address(&taken).severity, Severity::Ok);
    }
}
