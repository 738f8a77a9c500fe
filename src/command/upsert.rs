//! `insertorupdateone` and `insertorupdatemany` (contract 6.7).
//!
//! Atomic against themselves: requests that name the same values of `uniqeness` in a
//! collection take turns, in the whole process. Many items are committed together, up
//! to the first that meets a document an earlier one touches.

use std::collections::HashSet;

use bson::raw::{CString, RawBsonRef, RawDocument, RawDocumentBuf};

use super::access::{contended, writable};
use super::insert::{insert, items};
use super::read::without_hashes;
use super::update::replace;
use super::writer::{Writer, duplicate, id_of};
use super::{Reply, ReplyFuture, Request};
use crate::auth::ace::Right;
use crate::document::json;
use crate::document::raw::get_str;
use crate::error::{Code, Error, Result};
use crate::limits;
use crate::store::{Outcome, Write};
use crate::wire::proto::{InsertOrUpdateManyRequest, InsertOrUpdateOneRequest};

pub fn insertorupdateone(request: Request) -> ReplyFuture {
    Box::pin(async move {
        let message: InsertOrUpdateOneRequest = request.decode()?;
        let collection = writable(&message.collectionname)?;
        let item = json::parse_optional(&message.item, "item")?
            .ok_or_else(|| Error::invalid("Cannot create null item"))?;
        let writer = Writer::begin(&request).await?;
        let results = writer
            .upsert(collection, &message.uniqeness, &[item])
            .await?;
        let results = without_hashes(results, collection, writer.caller)?;
        Reply::text("InsertOrUpdateOneResponse", 1, |out| {
            json::write_document(&results[0], out)
        })
    })
}

pub fn insertorupdatemany(request: Request) -> ReplyFuture {
    Box::pin(async move {
        let message: InsertOrUpdateManyRequest = request.decode()?;
        let collection = writable(&message.collectionname)?;
        let items = items(&message.items)?;
        let writer = Writer::begin(&request).await?;
        let mut results = writer
            .upsert(collection, &message.uniqeness, &items)
            .await?;
        if message.skipresults {
            results.clear();
        }
        let results = without_hashes(results, collection, writer.caller)?;
        Reply::text("InsertOrUpdateManyResponse", 1, |out| {
            json::write_documents(&results, out)
        })
    })
}

/// What makes an item the same as a stored document.
struct Key {
    /// Equality of every unique field, for the store.
    filter: RawDocumentBuf,
    /// The same for people.
    shown: RawDocumentBuf,
}

/// What becomes of one item.
struct Step {
    /// `None` for an insert.
    stored: Option<RawDocumentBuf>,
    /// The document afterwards; `None` when it stays as it is.
    next: Option<RawDocumentBuf>,
}

impl Step {
    fn result(self) -> Option<RawDocumentBuf> {
        self.next.or(self.stored)
    }

    fn write(&self, collection: &str) -> Option<Write> {
        let next = self.next.as_ref()?;
        Some(match &self.stored {
            Some(stored) => replace(collection, stored, next),
            None => insert(collection, next),
        })
    }
}

impl Writer<'_> {
    /// Inserts or updates every item; returns updated documents, then inserted ones.
    async fn upsert(
        &self,
        collection: &str,
        uniqeness: &str,
        items: &[RawDocumentBuf],
    ) -> Result<Vec<RawDocumentBuf>> {
        let keys: Vec<Option<Key>> = items
            .iter()
            .map(|item| key(uniqeness, item))
            .collect::<Result<_>>()?;
        let locked = keys
            .iter()
            .flatten()
            .map(|key| (collection, key.filter.as_bytes()));
        let _held = self.services.locks.upserts.lock(locked).await;
        let (mut updated, mut inserted) = (Vec::new(), Vec::new());
        let mut done = 0;
        while done < items.len() {
            let steps = self
                .upsert_some(collection, &items[done..], &keys[done..])
                .await?;
            done += steps.len();
            for step in steps {
                let list = if step.stored.is_some() {
                    &mut updated
                } else {
                    &mut inserted
                };
                list.extend(step.result());
            }
        }
        updated.append(&mut inserted);
        Ok(updated)
    }

    /// Plans and commits the longest run of items that do not meet one another.
    async fn upsert_some(
        &self,
        collection: &str,
        items: &[RawDocumentBuf],
        keys: &[Option<Key>],
    ) -> Result<Vec<Step>> {
        for _ in 0..limits::WRITE_ATTEMPTS_MAX {
            let steps = self.plan_run(collection, items, keys).await?;
            let pairs = steps
                .iter()
                .filter_map(|step| Some((&**step.next.as_ref()?, step.stored.as_deref())));
            let _held = self.claim_names(collection, pairs).await?;
            let writes: Vec<Write> = steps
                .iter()
                .filter_map(|step| step.write(collection))
                .collect();
            if writes.is_empty() {
                return Ok(steps);
            }
            match self.commit(writes).await? {
                Outcome::Written => return Ok(steps),
                Outcome::Changed { .. } => {}
                Outcome::Duplicate { index } => {
                    let written = steps
                        .iter()
                        .filter_map(|step| step.next.as_ref())
                        .nth(index);
                    let Some(document) = written else { continue };
                    return Err(duplicate(collection, document));
                }
            }
        }
        Err(contended("insertorupdate", collection))
    }

    async fn plan_run(
        &self,
        collection: &str,
        items: &[RawDocumentBuf],
        keys: &[Option<Key>],
    ) -> Result<Vec<Step>> {
        let mut seen_keys: HashSet<&[u8]> = HashSet::new();
        let mut touched: HashSet<Vec<u8>> = HashSet::new();
        let mut steps = Vec::new();
        for (item, key) in items.iter().zip(keys) {
            if let Some(key) = key
                && !seen_keys.insert(key.filter.as_bytes())
            {
                break;
            }
            let stored = self.matching(collection, key.as_ref()).await?;
            if let Some(stored) = &stored
                && !touched.insert(id_bytes(stored))
            {
                break;
            }
            let next = match &stored {
                Some(stored) => self.replaced(collection, stored, item, true).await?,
                None => Some(
                    self.shaped(collection, item, keeps_id(collection, item))
                        .await?,
                ),
            };
            steps.push(Step { stored, next });
        }
        Ok(steps)
    }

    async fn matching(
        &self,
        collection: &str,
        key: Option<&Key>,
    ) -> Result<Option<RawDocumentBuf>> {
        let Some(key) = key else { return Ok(None) };
        let mut found = self
            .find(collection, &key.filter, Some(Right::Read), 2)
            .await?;
        if found.len() > 1 {
            let mut shown = Vec::new();
            json::write_document(&key.shown, &mut shown)?;
            let shown = String::from_utf8_lossy(&shown);
            let text = format!("{shown} is not uniqe, more than 1 item in collection matches this");
            return Err(Error::client(Code::Conflict, text));
        }
        Ok(found.pop())
    }
}

/// A supplied `_id` is discarded on insert, but for workflow instances (contract 4.7).
fn keeps_id(collection: &str, item: &RawDocument) -> bool {
    collection == "openrpa_instances" && get_str(item, "_type") == Some("workflowinstance")
}

fn id_bytes(document: &RawDocument) -> Vec<u8> {
    match id_of(document) {
        Some(RawBsonRef::String(text)) => text.as_bytes().to_vec(),
        Some(RawBsonRef::ObjectId(id)) => id.bytes().to_vec(),
        _ => Vec::new(),
    }
}

/// The key of an item; `None`: nothing to find it by, it is inserted.
///
/// Errors: `Invalid` when `uniqeness` names a field that the item lacks: it would match
/// every document that lacks it too.
fn key(uniqeness: &str, item: &RawDocument) -> Result<Option<Key>> {
    let named: Vec<&str> = uniqeness
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    let names = if named.is_empty() { vec!["_id"] } else { named };
    let (mut filter, mut shown) = (RawDocumentBuf::new(), RawDocumentBuf::new());
    for name in names {
        let field = CString::try_from(name)
            .map_err(|error| Error::invalid("uniqeness holds a NUL character").because(error))?;
        if name == "_id" {
            let Some(id) = id_of(item) else {
                return Ok(None);
            };
            // Plain, so that text finds an ObjectId too.
            filter.append(&field, id);
            shown.append(&field, id);
            continue;
        }
        let value = item.get(name).ok().flatten().ok_or_else(|| {
            Error::invalid(format!(
                "uniqeness names {name}, which the item does not have"
            ))
        })?;
        let mut equals = RawDocumentBuf::new();
        equals.append(bson::raw::cstr!("$eq"), value);
        filter.append(&field, equals);
        shown.append(&field, value);
    }
    Ok(Some(Key { filter, shown }))
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn keys_are_made_of_named_fields() {
        let item = rawdoc! { "_id": "a", "name": "x", "n": { "$gt": 1 } };
        let key_of = |uniqeness| key(uniqeness, &item).unwrap().unwrap().filter;
        assert_eq!(key_of(""), rawdoc! { "_id": "a" });
        assert_eq!(
            key_of(" name , n"),
            rawdoc! { "name": { "$eq": "x" }, "n": { "$eq": { "$gt": 1 } } }
        );
        assert!(key("name,other", &item).is_err());
        assert!(key("", &rawdoc! { "_id": "" }).unwrap().is_none());
    }
}
