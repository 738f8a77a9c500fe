//! One process per data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::error::{Code, Error, Result, Retry};

const FILE_NAME: &str = "opencore.lock";

/// Held as long as the database is open; the kernel releases it when the process ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Errors: `Unavailable`, naming the process that holds the folder and what to do.
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE_NAME);
        let failed = |cause: std::io::Error| {
            Error::backend(
                Code::Unavailable,
                Retry::Safe,
                format!(
                    "The lock file {} could not be written: check its owner and the disk.",
                    path.display()
                ),
            )
            .because(cause)
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(folder, &mut file)),
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn held(folder: &Path, file: &mut File) -> Error {
    let mut pid = String::new();
    // A holder that has not written its pid yet still holds the lock.
    let _ = file.take(32).read_to_string(&mut pid);
    let holder = match pid.trim() {
        "" => "another process".to_owned(),
        pid => format!("process {pid}"),
    };
    Error::backend(
        Code::Unavailable,
        Retry::Safe,
        format!(
            "The data folder {} is in use by {holder}. Stop that process, or give this one another data folder.",
            folder.display()
        ),
    )
}
