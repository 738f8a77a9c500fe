//! Opening the database: folder, lock, map and named databases.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use heed::types::Bytes;
use heed::{Database, Env, EnvOpenOptions, MdbError};

use super::counters::Counters;
use super::failure::{Kind, damaged_file, kind};
use super::header;
use super::lock::FolderLock;
use crate::error::{Code, Error, Result, Retry};
use crate::limits::{MAP_BYTES_MIN, READERS_MAX};

const DATA_FILE_NAME: &str = "data.mdb";
/// Grows when the layout of keys or values changes; older readers must refuse it.
const FORMAT_VERSION: u32 = 1;
const FORMAT_KEY: &[u8] = b"format";
const COUNTERS_KEY: &[u8] = b"counters";

pub type Table = Database<Bytes, Bytes>;

/// The tables of the database; each maps bytes to bytes.
#[derive(Clone, Copy)]
pub struct Tables {
    /// Format version and counters.
    pub meta: Table,
    /// Collection name → its number and UUID.
    pub collections: Table,
    /// (collection, record) → BSON.
    pub records: Table,
    /// (collection, `_id`) → record.
    pub ids: Table,
    /// Sequence → change.
    pub feed: Table,
}

impl Tables {
    pub fn counters(&self, txn: &heed::RoTxn) -> Result<Counters, heed::Error> {
        let stored = self.meta.get(txn, COUNTERS_KEY)?;
        Ok(stored.and_then(Counters::decode).unwrap_or_default())
    }

    pub fn put_counters(
        &self,
        txn: &mut heed::RwTxn,
        counters: &Counters,
    ) -> Result<(), heed::Error> {
        self.meta.put(txn, COUNTERS_KEY, &counters.encode())
    }
}

/// An open database. The lock is released after the map is gone.
pub struct Environment {
    pub env: Env,
    pub tables: Tables,
    _lock: FolderLock,
}

impl Environment {
    /// Makes the folder (mode 0700) if it is missing, locks it, checks the file and maps it.
    ///
    /// Errors: `Unavailable` when the folder is held or cannot be used, `Corrupt` when the
    /// file is damaged or of another format.
    pub fn open(folder: &Path, map_bytes_max: usize) -> Result<Self> {
        let unusable = |cause: &dyn std::fmt::Display| {
            Error::backend(
                Code::Unavailable,
                Retry::Safe,
                format!(
                    "The data folder {} cannot be used: check its owner, its mode and free space; \
                     where address space is limited, lower the map size.",
                    folder.display()
                ),
            )
            .because(cause.to_string())
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|cause| unusable(&cause))?;
        let lock = FolderLock::take(folder)?;
        let file = folder.join(DATA_FILE_NAME);
        header::check(&file)?;
        let opened = map(folder, map_bytes_max).and_then(|env| {
            let tables = create_tables(&env)?;
            Ok((env, tables))
        });
        let (env, (tables, format)) = opened.map_err(|cause| match (kind(&cause), &cause) {
            (Kind::Fatal, _) | (_, heed::Error::Mdb(MdbError::Incompatible)) => {
                damaged_file(&file, cause)
            }
            _ => unusable(&cause),
        })?;
        if format != FORMAT_VERSION {
            return Err(Error::backend(
                Code::Corrupt,
                Retry::Never,
                format!(
                    "The data folder {} has format {format}, this version reads format {FORMAT_VERSION}. \
                     Start the version that wrote it.",
                    folder.display()
                ),
            ));
        }
        Ok(Self {
            env,
            tables,
            _lock: lock,
        })
    }
}

fn map(folder: &Path, map_bytes_max: usize) -> Result<Env, heed::Error> {
    let page_bytes = rustix::param::page_size();
    let map_bytes = map_bytes_max.max(MAP_BYTES_MIN) / page_bytes * page_bytes;
    let mut options = EnvOpenOptions::new();
    options
        .map_size(map_bytes)
        .max_dbs(8)
        .max_readers(READERS_MAX);
    // SAFETY: the map is undefined if the file changes under it. The folder lock keeps
    // other processes of ours out, the folder is 0700, only LMDB writes the file while it
    // is mapped, and `header::check` has refused a file that ends before its pages do.
    unsafe { options.open(folder) }
}

fn create_tables(env: &Env) -> Result<(Tables, u32), heed::Error> {
    let mut txn = env.write_txn()?;
    let tables = Tables {
        meta: env.create_database(&mut txn, Some("meta"))?,
        collections: env.create_database(&mut txn, Some("collections"))?,
        records: env.create_database(&mut txn, Some("records"))?,
        ids: env.create_database(&mut txn, Some("ids"))?,
        feed: env.create_database(&mut txn, Some("feed"))?,
    };
    let stored = tables.meta.get(&txn, FORMAT_KEY)?;
    let format = match stored {
        Some(bytes) => bytes.try_into().map(u32::from_le_bytes).unwrap_or(0),
        None => {
            tables
                .meta
                .put(&mut txn, FORMAT_KEY, &FORMAT_VERSION.to_le_bytes())?;
            FORMAT_VERSION
        }
    };
    txn.commit()?;
    Ok((tables, format))
}
