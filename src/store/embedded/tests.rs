use std::sync::Arc;

use bson::rawdoc;

use super::*;
use crate::seam::Ticks;
use crate::store::Write;

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Ticks {
        Ticks(0)
    }
    fn unix_ms(&self) -> i64 {
        0
    }
    fn random_u64(&self) -> u64 {
        7
    }
}

fn open(folder: &Path, feed: FeedBounds) -> EmbeddedStore {
    let options = OpenOptions {
        map_bytes_max: 64 << 20,
        clock: Arc::new(FixedClock),
    };
    EmbeddedStore::open_tuned(folder, options, Tuning { feed }).unwrap()
}

fn insert(
    store: &EmbeddedStore,
    waiters: &mut lanes::Receiver<Vec<request::Reply>>,
    replies: &Arc<request::Replies>,
    id: i32,
) {
    let write = Write::Insert {
        collection: "things".into(),
        document: rawdoc! { "_id": id },
    };
    let prepared = plan::Prepared::new(write).unwrap();
    let request = request::Request::new(vec![prepared], 16, replies.clone(), 0);
    assert!(
        store
            .ledger
            .intake
            .try_send(1, Intake::Write(request))
            .is_ok()
    );
    let lanes::Received::Value(answer) = waiters.recv_blocking(None) else {
        panic!("no answer");
    };
    assert_eq!(
        answer[0].result.as_ref().unwrap(),
        &crate::store::Outcome::Written
    );
}

fn changes(store: &EmbeddedStore, after: u64) -> crate::error::Result<Vec<u64>> {
    let environment = &store.shared.environment;
    let txn = environment.env.read_txn().unwrap();
    let found = feed::read(&environment.tables, &txn, after, 1_000, usize::MAX)?;
    Ok(found.iter().map(|change| change.sequence).collect())
}

#[test]
fn the_feed_keeps_the_newest_and_says_what_it_lost() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = FeedBounds {
        changes_max: 5,
        bytes_max: u64::MAX,
    };
    let store = open(folder.path(), bounds);
    let (replies, mut waiters) = lanes::channel(8);
    let replies = Arc::new(replies);
    (1..=12).for_each(|id| insert(&store, &mut waiters, &replies, id));
    assert_eq!(changes(&store, 7).unwrap(), [8, 9, 10, 11, 12]);
    assert_eq!(changes(&store, 12).unwrap(), [0u64; 0]);
    assert_eq!(
        changes(&store, 6).unwrap_err().code,
        crate::error::Code::NotFound
    );
    drop(store);

    let bounds = FeedBounds {
        changes_max: 100,
        bytes_max: 1,
    };
    let store = open(folder.path(), bounds);
    insert(&store, &mut waiters, &replies, 13);
    assert_eq!(changes(&store, 13).unwrap(), [0u64; 0]);
    assert!(
        changes(&store, 12).is_err(),
        "an empty feed does not pretend to be complete"
    );
}

#[test]
fn an_unanswered_request_is_answered_when_the_ledger_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tuning::default().feed);
    store.close();
    let (replies, mut waiters) = lanes::channel(8);
    let write = Write::Insert {
        collection: "things".into(),
        document: rawdoc! { "_id": 1 },
    };
    let prepared = plan::Prepared::new(write).unwrap();
    let request = request::Request::new(vec![prepared], 16, Arc::new(replies), 3);
    assert!(
        store
            .ledger
            .intake
            .try_send(1, Intake::Write(request))
            .is_err()
    );
    let lanes::Received::Value(answer) = waiters.recv_blocking(None) else {
        panic!("no answer");
    };
    assert_eq!(answer[0].waiter, 3);
    assert_eq!(
        answer[0].result.as_ref().unwrap_err().code,
        crate::error::Code::Unavailable
    );
    assert!(!store.failed(), "closing is no fault");
}
