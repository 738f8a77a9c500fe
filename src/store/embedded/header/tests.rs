use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use proptest::prelude::*;

use super::super::environment::Environment;
use super::*;

const LAST_PAGE_AT: u64 = PAGE_HEADER_BYTES as u64 + 120;

/// A database with a few levels, overflow pages and freed pages.
fn database() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment::open(folder.path(), 1 << 26).unwrap();
    let (env, table) = (&environment.env, environment.tables.records);
    let mut txn = env.write_txn().unwrap();
    for n in 0..1_500u64 {
        let size = if n % 100 == 0 { 9_000 } else { 50 };
        table
            .put(&mut txn, &n.to_be_bytes(), &vec![7; size])
            .unwrap();
    }
    txn.commit().unwrap();
    let mut txn = env.write_txn().unwrap();
    for n in 0..200u64 {
        table.delete(&mut txn, &n.to_be_bytes()).unwrap();
    }
    txn.commit().unwrap();
    drop(environment);
    let path = folder.path().join("data.mdb");
    let bytes = std::fs::read(&path).unwrap();
    (folder, path, bytes)
}

#[test]
fn a_sound_file_passes_and_a_missing_one_too() {
    let (folder, path, _) = database();
    check(&path).unwrap();
    check(&folder.path().join("absent")).unwrap();
}

#[test]
fn unused_last_pages_need_not_be_there() {
    let (_folder, path, _) = database();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let page_bytes = read_meta(&file, 0).unwrap().page_bytes;
    for head in [0, page_bytes] {
        let mut last_page = [0; 8];
        file.read_exact_at(&mut last_page, head + LAST_PAGE_AT)
            .unwrap();
        let claimed = u64::from_le_bytes(last_page) + 5;
        file.write_all_at(&claimed.to_le_bytes(), head + LAST_PAGE_AT)
            .unwrap();
    }
    check(&path).unwrap();
}

#[test]
fn every_cut_is_noticed() {
    let (_folder, path, whole) = database();
    let mut refused = 0;
    for pages in 0..whole.len() / 4096 {
        std::fs::write(&path, &whole[..pages * 4096]).unwrap();
        refused += usize::from(check(&path).is_err());
    }
    // The last pages may be free ones; nothing else is spared.
    assert!(refused * 10 >= whole.len() / 4096 * 9, "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damage_never_panics_or_hangs(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..64),
        keep in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        thread_local! { static DATABASE: (tempfile::TempDir, PathBuf, Vec<u8>) = database(); }
        DATABASE.with(|(_, path, whole)| {
            let mut bytes = whole.clone();
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if cut {
                bytes.truncate(keep.index(bytes.len()));
            }
            std::fs::write(path, &bytes).unwrap();
            let _ = check(path);
        });
    }
}
