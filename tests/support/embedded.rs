//! An embedded store in a folder of its own.

use std::path::Path;
use std::rc::Rc;

use opencore::error::Result;
use opencore::store::embedded::{EmbeddedHandle, EmbeddedStore, OpenOptions};
use tempfile::TempDir;

use super::{Pool, TestClock};

pub fn open(folder: &Path, map_bytes_max: usize) -> Result<EmbeddedStore> {
    EmbeddedStore::open(
        folder,
        OpenOptions {
            map_bytes_max,
            clock: TestClock::shared(),
        },
    )
}

/// Dropping it closes the store before the folder goes.
pub struct Opened {
    pub pool: Rc<Pool>,
    pub handle: Rc<EmbeddedHandle>,
    pub store: EmbeddedStore,
    pub folder: TempDir,
}

impl Opened {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = open(folder.path(), 1 << 30).expect("the store opens");
        let pool = Rc::new(Pool::default());
        let handle = Rc::new(store.handle(pool.seam()));
        Self {
            pool,
            handle,
            store,
            folder,
        }
    }

    /// Closes the store and gives back its folder.
    pub fn close(self) -> TempDir {
        self.store.close();
        self.folder
    }
}
