//! Durable inserts through the ledger against the same batch straight into LMDB.
//!
//! "straight" is what a program without conditions, change feed or waiters would do: one
//! transaction per batch, record and `_id` index. The ratio is the price of the ledger;
//! the target at 256 in flight is at most 1 / 0.6.

#[path = "../tests/support/mod.rs"]
mod support;

use std::cell::Cell;
use std::path::Path;

use bson::RawDocumentBuf;
use bson::rawdoc;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use heed::types::Bytes;
use heed::{Database, Env, EnvOpenOptions};
use opencore::store::{DocumentStore, Write, WriteBatch};
use support::embedded::Opened;

/// 300 bytes, ids that do not sort as they come.
fn document(n: u64) -> RawDocumentBuf {
    let id = format!("{:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    rawdoc! { "_id": id, "n": n as i64, "text": "t".repeat(250) }
}

struct Straight {
    env: Env,
    records: Database<Bytes, Bytes>,
    ids: Database<Bytes, Bytes>,
}

impl Straight {
    fn open(folder: &Path) -> Self {
        let mut options = EnvOpenOptions::new();
        options.map_size(1 << 34).max_dbs(2);
        // SAFETY: the folder is this benchmark's own, and nothing else opens the file.
        let env = unsafe { options.open(folder) }.expect("the environment opens");
        let mut txn = env.write_txn().expect("a transaction");
        let records = env
            .create_database(&mut txn, Some("records"))
            .expect("a table");
        let ids = env.create_database(&mut txn, Some("ids")).expect("a table");
        txn.commit().expect("committed");
        Self { env, records, ids }
    }

    fn insert(&self, first: u64, count: u64) -> Result<(), heed::Error> {
        let mut txn = self.env.write_txn()?;
        for n in first..first + count {
            let document = document(n);
            let id = document
                .get_str("_id")
                .expect("it has an id")
                .as_bytes()
                .to_vec();
            self.ids.put(&mut txn, &id, &n.to_be_bytes())?;
            self.records
                .put(&mut txn, &n.to_be_bytes(), document.as_bytes())?;
        }
        txn.commit()
    }
}

fn durable_insert(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("durable insert");
    let opened = Opened::new();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let straight = Straight::open(folder.path());
    for in_flight in [1u64, 256] {
        group.throughput(Throughput::Elements(in_flight));
        let next = Cell::new(in_flight << 32);
        let advance = || next.replace(next.get() + in_flight);
        group.bench_function(format!("ledger, {in_flight} in flight"), |bencher| {
            bencher.iter(|| {
                let first = advance();
                let writes = (first..first + in_flight).map(|n| {
                    let insert = Write::Insert {
                        collection: "c".into(),
                        document: document(n),
                    };
                    opened.handle.write(WriteBatch {
                        writes: vec![insert],
                        priority: 1,
                    })
                });
                opened.pool.run(join_all(writes))
            })
        });
        group.bench_function(format!("straight to LMDB, batch {in_flight}"), |bencher| {
            bencher.iter(|| straight.insert(advance(), in_flight).expect("written"))
        });
    }
    group.finish();
}

criterion_group!(benches, durable_insert);
criterion_main!(benches);
