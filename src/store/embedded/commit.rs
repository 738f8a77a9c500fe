//! One group: checked, applied and committed in one transaction, with one sync.

use heed::RwTxn;

use super::Shared;
use super::catalog::Collection;
use super::counters::Counters;
use super::environment::Tables;
use super::feed;
use super::keys::record_key;
use super::plan::{self, Draft, Prepared, Verdict};
use crate::error::Result;
use crate::store::{Operation, Outcome, Write};

/// Memory kept from group to group.
#[derive(Default)]
pub struct Scratch {
    records: Vec<u64>,
    entry: Vec<u8>,
}

/// What a committed group means for this process.
pub struct Committed {
    /// One per batch, in order.
    pub outcomes: Vec<Result<Outcome>>,
    /// As they are in the database now.
    pub counters: Counters,
    created: Vec<Collection>,
    users_sequence: Option<u64>,
}

impl Committed {
    /// Shows the commit to the shards; to be called before any waiter is woken.
    pub fn publish(&self, shared: &Shared) {
        if !self.created.is_empty() {
            shared.catalog.add(&self.created);
        }
        if let Some(sequence) = self.users_sequence {
            shared.epochs.users_changed(sequence);
        }
    }
}

/// Makes all batches whose conditions hold, each seeing those before it.
///
/// Errors: the transaction failed as a whole; nothing of it was written.
pub fn commit<'b>(
    shared: &Shared,
    counters: Counters,
    batches: impl Iterator<Item = &'b mut [Prepared]>,
    scratch: &mut Scratch,
) -> Result<Committed, heed::Error> {
    let tables = &shared.environment.tables;
    let catalog = shared.catalog.current();
    let mut txn = shared.environment.env.write_txn()?;
    let mut draft = Draft {
        catalog: &catalog,
        clock: &*shared.clock,
        counters,
        created: Vec::new(),
    };
    let mut outcomes = Vec::new();
    let mut users_sequence = None;
    for writes in batches {
        let created_before = draft.created.len();
        let verdict = plan::check(tables, &txn, &mut draft, writes, &mut scratch.records)?;
        outcomes.push(match verdict {
            Verdict::Refused(outcome) => Ok(outcome),
            Verdict::Impossible(error) => Err(error),
            Verdict::Holds => {
                for created in &draft.created[created_before..] {
                    tables
                        .collections
                        .put(&mut txn, created.name.as_bytes(), &created.encode())?;
                }
                for (prepared, &record) in writes.iter().zip(&scratch.records) {
                    apply(
                        tables,
                        &mut txn,
                        &mut draft.counters,
                        &mut scratch.entry,
                        (prepared, record),
                    )?;
                    if prepared.collection() == "users" {
                        users_sequence = Some(draft.counters.sequence);
                    }
                }
                Ok(Outcome::Written)
            }
        });
    }
    let Draft {
        counters: mut after,
        created,
        ..
    } = draft;
    if after.sequence == counters.sequence {
        // Nothing holds: what the refusals saw is durable already, so no sync is owed.
        txn.abort();
    } else {
        feed::trim(tables, &mut txn, &mut after, shared.tuning.feed)?;
        tables.put_counters(&mut txn, &after)?;
        txn.commit()?;
        shared.stats.committed(outcomes.len());
    }
    Ok(Committed {
        outcomes,
        counters: after,
        created,
        users_sequence,
    })
}

fn apply(
    tables: &Tables,
    txn: &mut RwTxn,
    counters: &mut Counters,
    entry: &mut Vec<u8>,
    (prepared, record): (&Prepared, u64),
) -> Result<(), heed::Error> {
    let id = prepared.id.bytes();
    let number = id
        .first_chunk()
        .map_or(0, |number| u32::from_be_bytes(*number));
    let key = record_key(number, record);
    let (operation, document) = match &prepared.write {
        Write::Insert { document, .. } => {
            tables.ids.put(txn, id, &record.to_be_bytes())?;
            tables.records.put(txn, &key, document.as_bytes())?;
            (Operation::Insert, document)
        }
        Write::Replace { document, .. } => {
            tables.records.put(txn, &key, document.as_bytes())?;
            (Operation::Replace, document)
        }
        Write::Delete { expected, .. } => {
            tables.records.delete(txn, &key)?;
            tables.ids.delete(txn, id)?;
            (Operation::Delete, expected)
        }
    };
    feed::append(
        tables,
        txn,
        counters,
        entry,
        (prepared.collection(), operation, document),
    )
}
