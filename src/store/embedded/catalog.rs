//! Collections by name, as a snapshot that shards read without touching a shared line.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::environment::Tables;
use super::failure::{damaged_record, read_error};
use crate::error::Result;
use crate::seam::Clock;
use crate::store::CollectionInfo;

#[derive(Clone, Debug)]
pub struct Collection {
    pub number: u32,
    pub name: String,
    pub uuid: String,
}

impl Collection {
    pub fn new(number: u32, name: &str, clock: &dyn Clock) -> Self {
        let random = (u128::from(clock.random_u64()) << 64) | u128::from(clock.random_u64());
        Self {
            number,
            name: name.to_owned(),
            uuid: uuid_text(random),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.number.to_be_bytes().to_vec();
        bytes.extend_from_slice(self.uuid.as_bytes());
        bytes
    }

    fn decode(name: &[u8], value: &[u8]) -> Option<Self> {
        let (number, uuid) = value.split_first_chunk()?;
        Some(Self {
            number: u32::from_be_bytes(*number),
            name: std::str::from_utf8(name).ok()?.to_owned(),
            uuid: std::str::from_utf8(uuid).ok()?.to_owned(),
        })
    }
}

/// Random bits as a version 4 UUID (RFC 9562).
fn uuid_text(random: u128) -> String {
    let bits = random & !(0xF << 76) & !(0x3 << 62) | (4 << 76) | (2 << 62);
    let hex = format!("{bits:032x}");
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

#[derive(Default)]
pub struct Catalog {
    by_name: HashMap<String, Collection>,
}

impl Catalog {
    pub fn load(tables: &Tables, txn: &heed::RoTxn) -> Result<Self> {
        let mut by_name = HashMap::new();
        for entry in tables.collections.iter(txn).map_err(read_error)? {
            let (name, value) = entry.map_err(read_error)?;
            let collection =
                Collection::decode(name, value).ok_or_else(|| damaged_record("collections"))?;
            by_name.insert(collection.name.clone(), collection);
        }
        Ok(Self { by_name })
    }

    pub fn number_of(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).map(|collection| collection.number)
    }

    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    pub fn infos(&self) -> Vec<CollectionInfo> {
        self.by_name
            .values()
            .map(|collection| CollectionInfo {
                name: collection.name.clone(),
                uuid: collection.uuid.clone(),
            })
            .collect()
    }
}

/// The current catalog. Readers compare `version` and take the lock only after a change.
#[derive(Default)]
pub struct Published {
    version: AtomicU64,
    current: RwLock<Arc<Catalog>>,
}

impl Published {
    pub fn new(catalog: Catalog) -> Self {
        Self {
            version: AtomicU64::new(0),
            current: RwLock::new(Arc::new(catalog)),
        }
    }

    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub fn current(&self) -> Arc<Catalog> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Called by the ledger after the commit that made them.
    pub fn add(&self, created: &[Collection]) {
        let mut by_name = self.current().by_name.clone();
        by_name.extend(created.iter().map(|new| (new.name.clone(), new.clone())));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(Catalog { by_name });
        self.version.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::uuid_text;

    #[test]
    fn a_uuid_is_version_4() {
        assert_eq!(uuid_text(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid_text(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
