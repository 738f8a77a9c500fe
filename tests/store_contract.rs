//! What any document store must do. Every store runs the same suite.

mod support;

use std::cell::RefCell;
use std::rc::Rc;

use bson::oid::ObjectId;
use bson::raw::{RawDocument, RawDocumentBuf};
use bson::rawdoc;
use opencore::document::filter::Filter;
use opencore::document::projection::Projection;
use opencore::document::sort::Sort;
use opencore::error::Code;
use opencore::limits::SCAN_BATCH_DOCUMENTS;
use opencore::store::{
    DocumentStore, Find, Guard, Operation, Outcome, WatchedCollection, Write, WriteBatch,
};
use support::Pool;
use support::embedded::Opened;

/// A store under test, with short words for what the suite says to it.
struct Subject {
    pool: Rc<Pool>,
    store: Rc<dyn DocumentStore>,
}

impl Subject {
    fn write(&self, writes: Vec<Write>) -> Outcome {
        self.try_write(writes).unwrap()
    }

    fn try_write(&self, writes: Vec<Write>) -> opencore::error::Result<Outcome> {
        self.pool.run(self.store.write(WriteBatch {
            writes,
            priority: 1,
        }))
    }

    fn find(&self, find: Find) -> Vec<RawDocumentBuf> {
        self.pool.run(self.store.find(find)).unwrap()
    }

    fn all(&self, collection: &str) -> Vec<RawDocumentBuf> {
        self.find(Find::new(collection, Rc::new(Filter::everything())))
    }

    fn count(&self, find: Find) -> u64 {
        self.pool.run(self.store.count(find)).unwrap()
    }

    fn fill(&self, collection: &str, count: i32) {
        let writes = (0..count)
            .map(|n| insert(collection, numbered(n)))
            .collect();
        assert_eq!(self.write(writes), Outcome::Written);
    }
}

fn insert(collection: &str, document: RawDocumentBuf) -> Write {
    Write::Insert {
        collection: collection.into(),
        document,
    }
}

fn replace(collection: &str, expected: RawDocumentBuf, document: RawDocumentBuf) -> Write {
    Write::Replace {
        collection: collection.into(),
        expected,
        document,
    }
}

fn delete(collection: &str, expected: RawDocumentBuf) -> Write {
    Write::Delete {
        collection: collection.into(),
        expected,
    }
}

/// Ids that do not sort as they are inserted.
fn numbered(n: i32) -> RawDocumentBuf {
    rawdoc! { "_id": format!("{}-{n}", (n * 7919) % 97), "n": n, "odd": n % 2, "text": "t" }
}

fn by(collection: &str, filter: RawDocumentBuf) -> Find {
    Find::new(collection, Rc::new(Filter::parse(&filter).unwrap()))
}

fn numbers(documents: &[RawDocumentBuf]) -> Vec<i32> {
    documents
        .iter()
        .map(|document| document.get_i32("n").unwrap())
        .collect()
}

fn sort(text: &str) -> Option<Rc<Sort>> {
    Sort::parse_orderby(text).unwrap().map(Rc::new)
}

fn suite(open: impl Fn() -> Subject) {
    inserts_replaces_and_deletes(&open());
    refuses_what_changed_meanwhile(&open());
    batches_are_all_or_nothing(&open());
    a_batch_sees_its_own_earlier_writes(&open());
    refuses_what_is_no_document(&open());
    finds_by_id_of_any_type(&open());
    reads_in_natural_order(&open());
    sorts_skips_and_limits(&open());
    projects(&open());
    guards_every_read(&open());
    lists_collections(&open());
    feeds_changes_in_order(&open());
    tells_the_epoch_of_users(&open());
    keeps_many_writers_apart(&open());
}

fn inserts_replaces_and_deletes(subject: &Subject) {
    let (first, second) = (
        rawdoc! { "_id": "a", "n": 1 },
        rawdoc! { "_id": "a", "n": 2, "long": "x".repeat(9_000) },
    );
    assert_eq!(
        subject.write(vec![insert("c", first.clone())]),
        Outcome::Written
    );
    assert_eq!(subject.all("c"), std::slice::from_ref(&first));
    let duplicate = subject.write(vec![insert("c", second.clone())]);
    assert_eq!(duplicate, Outcome::Duplicate { index: 0 });
    assert_eq!(
        subject.write(vec![insert("d", first.clone())]),
        Outcome::Written
    );
    assert_eq!(
        subject.write(vec![replace("c", first, second.clone())]),
        Outcome::Written
    );
    assert_eq!(subject.all("c"), std::slice::from_ref(&second));
    assert_eq!(
        subject.write(vec![delete("c", second.clone())]),
        Outcome::Written
    );
    assert!(subject.all("c").is_empty());
    assert_eq!(subject.write(vec![insert("c", second)]), Outcome::Written);
    assert_eq!(subject.write(vec![]), Outcome::Written);
    assert!(subject.all("missing").is_empty());
}

fn refuses_what_changed_meanwhile(subject: &Subject) {
    let (old, new) = (rawdoc! { "_id": 1, "n": 1 }, rawdoc! { "_id": 1, "n": 2 });
    let changed = Outcome::Changed { index: 0 };
    assert_eq!(
        subject.write(vec![replace("c", old.clone(), new.clone())]),
        changed
    );
    assert_eq!(subject.write(vec![delete("c", old.clone())]), changed);
    subject.write(vec![insert("c", new.clone())]);
    assert_eq!(
        subject.write(vec![replace("c", old.clone(), new.clone())]),
        changed
    );
    assert_eq!(subject.write(vec![delete("c", old)]), changed);
    assert_eq!(subject.all("c"), [new]);
}

fn batches_are_all_or_nothing(subject: &Subject) {
    subject.write(vec![insert("c", rawdoc! { "_id": 2, "n": 2 })]);
    let writes = vec![
        insert("c", rawdoc! { "_id": 1, "n": 1 }),
        insert("new", rawdoc! { "_id": 1 }),
        insert("c", rawdoc! { "_id": 2, "n": 9 }),
    ];
    assert_eq!(subject.write(writes), Outcome::Duplicate { index: 2 });
    let writes = vec![
        delete("c", rawdoc! { "_id": 2, "n": 2 }),
        delete("c", rawdoc! { "_id": 3, "n": 3 }),
    ];
    assert_eq!(subject.write(writes), Outcome::Changed { index: 1 });
    assert_eq!(numbers(&subject.all("c")), [2]);
    let names = subject.pool.run(subject.store.collections()).unwrap();
    assert_eq!(names.len(), 1, "a refused batch creates no collection");
    assert_eq!(
        subject
            .pool
            .run(subject.store.changes(0, 10))
            .unwrap()
            .len(),
        1
    );
}

fn a_batch_sees_its_own_earlier_writes(subject: &Subject) {
    let (a, b) = (
        rawdoc! { "_id": "x", "n": 1 },
        rawdoc! { "_id": "x", "n": 2 },
    );
    let twice = vec![insert("c", a.clone()), insert("c", b.clone())];
    assert_eq!(subject.write(twice), Outcome::Duplicate { index: 1 });
    let chain = vec![
        insert("c", a.clone()),
        replace("c", a.clone(), b.clone()),
        delete("c", b.clone()),
        insert("c", a.clone()),
    ];
    assert_eq!(subject.write(chain), Outcome::Written);
    assert_eq!(subject.all("c"), std::slice::from_ref(&a));
    let stale = vec![replace("c", a.clone(), b), delete("c", a.clone())];
    assert_eq!(subject.write(stale), Outcome::Changed { index: 1 });
    assert_eq!(subject.all("c"), [a]);
}

fn refuses_what_is_no_document(subject: &Subject) {
    let code = |writes| subject.try_write(writes).unwrap_err().code;
    assert_eq!(code(vec![insert("c", rawdoc! { "n": 1 })]), Code::Invalid);
    assert_eq!(
        code(vec![insert("c", rawdoc! { "_id": [1] })]),
        Code::Invalid
    );
    assert_eq!(code(vec![insert("", rawdoc! { "_id": 1 })]), Code::Invalid);
    assert_eq!(
        code(vec![insert(&"c".repeat(300), rawdoc! { "_id": 1 })]),
        Code::Invalid
    );
    let large = rawdoc! { "_id": 1, "x": "x".repeat(17 << 20) };
    assert_eq!(code(vec![insert("c", large)]), Code::TooLarge);
    let other_id = replace("c", rawdoc! { "_id": 1 }, rawdoc! { "_id": 2 });
    assert_eq!(code(vec![other_id]), Code::Invalid);
    assert!(subject.all("c").is_empty());
}

fn finds_by_id_of_any_type(subject: &Subject) {
    let oid = ObjectId::from_bytes([9; 12]);
    let long = "long".repeat(1_000);
    subject.write(vec![
        insert("c", rawdoc! { "_id": oid, "n": 1 }),
        insert("c", rawdoc! { "_id": "text", "n": 2 }),
        insert("c", rawdoc! { "_id": 5, "n": 3 }),
        insert("c", rawdoc! { "_id": long.clone(), "n": 4 }),
    ]);
    let found = |filter| numbers(&subject.find(by("c", filter)));
    assert_eq!(found(rawdoc! { "_id": oid }), [1]);
    assert_eq!(
        found(rawdoc! { "_id": oid.to_hex() }),
        [1],
        "24 hex digits mean either"
    );
    assert_eq!(found(rawdoc! { "_id": "text" }), [2]);
    assert_eq!(found(rawdoc! { "_id": 5 }), [3]);
    assert_eq!(found(rawdoc! { "_id": long }), [4]);
    assert_eq!(found(rawdoc! { "_id": "absent" }), [0; 0]);
    assert_eq!(
        found(rawdoc! { "_id": "text", "n": 9 }),
        [0; 0],
        "the rest of the filter holds"
    );
    let several = rawdoc! { "_id": { "$in": [5, "text", "absent", 5] } };
    assert_eq!(found(several.clone()), [2, 3]);
    assert_eq!(subject.count(by("c", several)), 2);
}

fn reads_in_natural_order(subject: &Subject) {
    let count = 3 * SCAN_BATCH_DOCUMENTS as i32 + 5;
    subject.fill("c", count);
    subject.fill("d", 3);
    assert_eq!(numbers(&subject.all("c")), (0..count).collect::<Vec<_>>());
    assert_eq!(subject.count(by("c", rawdoc! {})), count as u64);
    assert_eq!(
        subject.count(by("c", rawdoc! { "odd": 1 })),
        count as u64 / 2
    );
    assert_eq!(subject.count(by("missing", rawdoc! {})), 0);
    let first = numbered(0);
    let grown = rawdoc! { "_id": first.get_str("_id").unwrap(), "n": 0, "x": "x".repeat(5_000) };
    subject.write(vec![replace("c", first, grown)]);
    assert_eq!(
        numbers(&subject.all("c"))[0],
        0,
        "a replace keeps the place"
    );
    let mut page = by("c", rawdoc! {});
    (page.skip, page.limit) = (300, Some(4));
    assert_eq!(numbers(&subject.find(page.clone())), [300, 301, 302, 303]);
    assert_eq!(
        subject.count(page.clone()),
        count as u64,
        "count ignores the page"
    );
    page.limit = Some(0);
    assert!(subject.find(page).is_empty());
}

fn sorts_skips_and_limits(subject: &Subject) {
    let count = 5 * SCAN_BATCH_DOCUMENTS as i32;
    subject.fill("c", count);
    let mut find = by("c", rawdoc! {});
    find.sort = sort(r#"{"n":-1}"#);
    assert_eq!(
        numbers(&subject.find(find.clone())),
        (0..count).rev().collect::<Vec<_>>()
    );
    (find.skip, find.limit) = (2, Some(3));
    let wanted: Vec<i32> = (0..count).rev().skip(2).take(3).collect();
    assert_eq!(numbers(&subject.find(find.clone())), wanted);
    find.sort = sort("odd");
    (find.skip, find.limit) = (count as u64 / 2 - 2, Some(4));
    let wanted = [count - 4, count - 2, 1, 3];
    assert_eq!(
        numbers(&subject.find(find.clone())),
        wanted,
        "equal ones stay in natural order"
    );
    find.limit = None;
    find.skip = count as u64 - 1;
    assert_eq!(numbers(&subject.find(find)), [count - 1]);
}

fn projects(subject: &Subject) {
    subject.fill("c", 3);
    let mut find = by("c", rawdoc! {});
    find.projection = Projection::parse(&rawdoc! { "n": 1 }).unwrap().map(Rc::new);
    let expected: Vec<RawDocumentBuf> = (0..3)
        .map(|n| rawdoc! { "_id": numbered(n).get_str("_id").unwrap(), "n": n })
        .collect();
    assert_eq!(subject.find(find.clone()), expected);
    find.sort = sort(r#"{"odd":-1}"#);
    assert_eq!(
        numbers(&subject.find(find)),
        [1, 0, 2],
        "by a field that is not shown"
    );
}

fn guards_every_read(subject: &Subject) {
    subject.fill("c", 600);
    let asked = Rc::new(RefCell::new(0));
    let counter = asked.clone();
    let guard = Guard {
        admits: Rc::new(move |document: &RawDocument| {
            *counter.borrow_mut() += 1;
            document.get_i32("n").unwrap() % 3 == 0
        }),
        filter: rawdoc! { "n": { "$mod": [3, 0] } },
    };
    let mut find = by("c", rawdoc! { "odd": 1 });
    find.guard = Some(guard);
    find.limit = Some(3);
    assert_eq!(numbers(&subject.find(find.clone())), [3, 9, 15]);
    assert!(
        *asked.borrow() < 600,
        "only documents that pass the filter are asked about"
    );
    find.limit = None;
    assert_eq!(subject.count(find.clone()), 100);
    find.sort = sort(r#"{"n":-1}"#);
    assert_eq!(numbers(&subject.find(find.clone()))[..2], [597, 591]);
    let hidden = numbered(1).get_str("_id").unwrap().to_owned();
    find.filter = by("c", rawdoc! { "_id": hidden }).filter;
    assert!(subject.find(find).is_empty(), "nor by its id");
}

fn lists_collections(subject: &Subject) {
    subject.write(vec![
        insert("one", rawdoc! { "_id": 1 }),
        insert("two", rawdoc! { "_id": 1 }),
    ]);
    let mut infos = subject.pool.run(subject.store.collections()).unwrap();
    infos.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<&str> = infos.iter().map(|info| info.name.as_str()).collect();
    assert_eq!(names, ["one", "two"]);
    assert!(infos.iter().all(|info| info.uuid.len() == 36));
    assert_ne!(infos[0].uuid, infos[1].uuid);
}

fn feeds_changes_in_order(subject: &Subject) {
    let changes = |after, limit| {
        subject
            .pool
            .run(subject.store.changes(after, limit))
            .unwrap()
    };
    assert!(changes(0, 10).is_empty());
    let (a, b) = (rawdoc! { "_id": 1, "n": 1 }, rawdoc! { "_id": 1, "n": 2 });
    subject.write(vec![insert("c", a.clone())]);
    subject.write(vec![insert("c", a.clone())]);
    subject.write(vec![
        replace("c", a.clone(), b.clone()),
        insert("d", a.clone()),
    ]);
    subject.write(vec![delete("c", b.clone())]);
    let seen: Vec<_> = changes(0, 10)
        .into_iter()
        .map(|change| {
            (
                change.sequence,
                change.collection,
                change.operation,
                change.document,
            )
        })
        .collect();
    let expected = [
        (1, "c".to_owned(), Operation::Insert, a.clone()),
        (2, "c".to_owned(), Operation::Replace, b.clone()),
        (3, "d".to_owned(), Operation::Insert, a),
        (4, "c".to_owned(), Operation::Delete, b),
    ];
    assert_eq!(seen, expected);
    assert_eq!(
        changes(2, 1)
            .iter()
            .map(|change| change.sequence)
            .collect::<Vec<_>>(),
        [3]
    );
    assert!(changes(4, 10).is_empty());
    assert!(changes(u64::MAX, 10).is_empty());
    subject.fill("many", 1_000);
    let many: Vec<u64> = changes(4, 900)
        .iter()
        .map(|change| change.sequence)
        .collect();
    assert_eq!(many, (5..905).collect::<Vec<_>>());
}

fn tells_the_epoch_of_users(subject: &Subject) {
    let epoch = || subject.store.collection_epoch(WatchedCollection::Users);
    assert_eq!(epoch(), 0);
    subject.write(vec![insert("other", rawdoc! { "_id": 1 })]);
    assert_eq!(epoch(), 0);
    subject.write(vec![insert("users", rawdoc! { "_id": 1 })]);
    assert_eq!(epoch(), 2);
    subject.write(vec![insert("users", rawdoc! { "_id": 1 })]);
    assert_eq!(epoch(), 2, "a refused write is no change");
    subject.write(vec![
        delete("users", rawdoc! { "_id": 1 }),
        insert("other", rawdoc! { "_id": 2 }),
    ]);
    assert_eq!(epoch(), 3);
}

/// Optimistic increments of one counter by many writers at once: none is lost.
fn keeps_many_writers_apart(subject: &Subject) {
    let counter = |n: i32| rawdoc! { "_id": "counter", "n": n };
    subject.write(vec![insert("c", counter(0))]);
    let store = &subject.store;
    let increment = || async move {
        loop {
            let current = store
                .find(by("c", rawdoc! { "_id": "counter" }))
                .await
                .unwrap();
            let n = current[0].get_i32("n").unwrap();
            let writes = vec![replace("c", counter(n), counter(n + 1))];
            match store
                .write(WriteBatch {
                    writes,
                    priority: 0,
                })
                .await
                .unwrap()
            {
                Outcome::Written => break,
                Outcome::Changed { index: 0 } => continue,
                other => panic!("{other:?}"),
            }
        }
    };
    let writers = (0..20).map(|_| increment());
    subject.pool.run(futures_util::future::join_all(writers));
    assert_eq!(numbers(&subject.all("c")), [20]);
}

#[test]
fn the_embedded_store() {
    let folders = RefCell::new(Vec::new());
    suite(|| {
        let opened = Opened::new();
        let subject = Subject {
            pool: opened.pool.clone(),
            store: opened.handle.clone(),
        };
        folders.borrow_mut().push(opened);
        subject
    });
}
