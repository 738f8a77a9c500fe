//! What a storage error means: full, damaged, or the end of the ledger.

use std::path::Path;

use heed::MdbError;
use rustix::io::Errno;

use crate::error::{Code, Error, Retry};

/// What a failed transaction leaves behind.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// No room, or the disk refuses: nothing was written, readers go on.
    Full,
    /// The file contradicts itself, or LMDB gave up on it.
    Fatal,
    /// This transaction cannot be done; others can.
    Refused,
}

pub fn kind(error: &heed::Error) -> Kind {
    match error {
        heed::Error::Mdb(MdbError::MapFull | MdbError::TxnFull | MdbError::PageFull) => Kind::Full,
        heed::Error::Mdb(
            MdbError::Corrupted
            | MdbError::PageNotFound
            | MdbError::Panic
            | MdbError::Invalid
            | MdbError::VersionMismatch,
        ) => Kind::Fatal,
        heed::Error::Io(error) => {
            let full = [
                Errno::NOSPC,
                Errno::DQUOT,
                Errno::IO,
                Errno::FBIG,
                Errno::NOMEM,
            ];
            let raw = error.raw_os_error();
            match full.iter().any(|errno| raw == Some(errno.raw_os_error())) {
                true => Kind::Full,
                false => Kind::Refused,
            }
        }
        _ => Kind::Refused,
    }
}

/// The answer to a write that was not made.
pub fn write_error(error: &heed::Error) -> Error {
    let cause = error.to_string();
    match kind(error) {
        Kind::Full => Error::backend(
            Code::Exhausted,
            Retry::Safe,
            "The database has no room or its disk refuses writes; nothing was written. \
             Free disk space or raise the map size, then send it again.",
        ),
        Kind::Fatal => stopped(Retry::Unsafe),
        Kind::Refused => {
            Error::internal("The database could not make the write; nothing was written.")
        }
    }
    .because(cause)
}

/// The ledger is gone; `retry` says whether this write may have happened.
pub fn stopped(retry: Retry) -> Error {
    Error::backend(
        Code::Unavailable,
        retry,
        "The database has stopped accepting writes. Restart the server; its log has the reason.",
    )
}

pub fn read_error(error: heed::Error) -> Error {
    match kind(&error) {
        Kind::Fatal => damaged_record("LMDB").because(error),
        _ => Error::backend(
            Code::Unavailable,
            Retry::Safe,
            "The database could not be read.",
        )
        .because(error),
    }
}

/// Stored bytes that are not what was stored there.
pub fn damaged_record(what: &str) -> Error {
    Error::backend(
        Code::Corrupt,
        Retry::Never,
        format!(
            "Stored data is damaged ({what}). Stop the server and restore the data folder from a backup."
        ),
    )
}

/// A data file that must not be opened.
pub fn damaged_file(file: &Path, reason: impl std::fmt::Display) -> Error {
    Error::backend(
        Code::Corrupt,
        Retry::Never,
        format!(
            "The data file {} is damaged: {reason}. Restore it from a backup, or move its folder away to start empty.",
            file.display()
        ),
    )
}
