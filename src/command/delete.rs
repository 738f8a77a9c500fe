//! `deleteone` and `deletemany` (contract 6.8). `recursive` is accepted and changes
//! nothing: no document of this server owns others yet.

use std::rc::Rc;

use bson::raw::{RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr};

use super::access::{collection, contended, writable};
use super::writer::{Writer, unexpected};
use super::{Reply, ReplyFuture, Request, read, rules};
use crate::auth::ace::Right;
use crate::auth::{acl, wellknown};
use crate::document::filter::Filter;
use crate::document::raw::get_str;
use crate::error::{Code, Error, Result};
use crate::limits;
use crate::store::{Find, Outcome, Write};
use crate::wire::proto::{
    DeleteManyRequest, DeleteManyResponse, DeleteOneRequest, DeleteOneResponse,
};

pub fn deleteone(request: Request) -> ReplyFuture {
    Box::pin(async move {
        let message: DeleteOneRequest = request.decode()?;
        collection(&message.collectionname)?;
        if message.id.trim().is_empty() {
            return Err(Error::invalid("id cannot be null"));
        }
        let collection = writable(&message.collectionname)?;
        let writer = Writer::begin(&request).await?;
        writer.delete(collection, &message.id).await?;
        // 1 also when there was nothing to delete (contract 15.8).
        Ok(Reply::of(
            "DeleteOneResponse",
            &DeleteOneResponse { affectedrows: 1 },
        ))
    })
}

pub fn deletemany(request: Request) -> ReplyFuture {
    Box::pin(async move {
        let message: DeleteManyRequest = request.decode()?;
        let collection = writable(&message.collectionname)?;
        rules::check_delete_many(collection)?;
        let writer = Writer::begin(&request).await?;
        let count = match wanted(&message, collection, &writer)? {
            Some(filter) => writer.delete_all(collection, filter).await?,
            None => 0,
        };
        let affectedrows = i32::try_from(count).unwrap_or(i32::MAX);
        Ok(Reply::of(
            "DeleteManyResponse",
            &DeleteManyResponse { affectedrows },
        ))
    })
}

/// `query` wins over `ids`; blank ids are skipped; neither is nothing.
fn wanted(
    message: &DeleteManyRequest,
    collection: &str,
    writer: &Writer<'_>,
) -> Result<Option<Rc<Filter>>> {
    if !message.query.trim().is_empty() {
        return read::filter(&message.query, collection, writer.caller).map(Some);
    }
    let mut ids = RawArrayBuf::new();
    for id in message
        .ids
        .iter()
        .map(|id| id.trim())
        .filter(|id| !id.is_empty())
    {
        ids.push(id);
    }
    if ids.is_empty() {
        return Ok(None);
    }
    let mut one_of = RawDocumentBuf::new();
    one_of.append(cstr!("$in"), ids);
    let mut filter = RawDocumentBuf::new();
    filter.append(cstr!("_id"), one_of);
    Ok(Some(Rc::new(Filter::parse(&filter)?)))
}

impl Writer<'_> {
    async fn delete(&self, collection: &str, id: &str) -> Result<()> {
        for _ in 0..limits::WRITE_ATTEMPTS_MAX {
            let stored = self
                .find_by_id(collection, RawBsonRef::String(id), None)
                .await?;
            let Some(stored) = stored else {
                return match collection {
                    "mq" => Err(Error::client(
                        Code::NotFound,
                        "item not found, or Access Denied",
                    )),
                    _ => Ok(()),
                };
            };
            rules::check_delete(collection, &stored, self.caller)?;
            if !self.may_delete(collection, &stored) {
                let name = &self.caller.name;
                return Err(Error::denied(format!(
                    "[{name}] Access denied, missing delete permission"
                )));
            }
            match self.commit(vec![delete(collection, stored)]).await? {
                Outcome::Written => return Ok(()),
                Outcome::Changed { .. } => {}
                outcome => return Err(unexpected(outcome)),
            }
        }
        Err(contended("deleteone", id))
    }

    /// By the filter of the delete right, by the object check, and by what nobody deletes.
    fn may_delete(&self, collection: &str, stored: &RawDocument) -> bool {
        let guard = acl::guard(self.caller, collection, Right::Delete);
        guard.is_none_or(|guard| (guard.admits)(stored))
            && acl::authorize(self.caller, stored, Right::Delete)
            && (collection != "users" || self.may_delete_user(stored))
    }

    /// Not oneself, and not what the server cannot do without.
    fn may_delete_user(&self, stored: &RawDocument) -> bool {
        let id = get_str(stored, "_id").unwrap_or_default();
        let needed =
            wellknown::by_id(id).is_some_and(|row| row.created == wellknown::Created::AtStart);
        id != self.caller.id && !needed
    }

    /// Deletes in portions, so that neither memory nor one transaction grows with the
    /// collection: each portion goes as a whole.
    async fn delete_all(&self, collection: &str, filter: Rc<Filter>) -> Result<u64> {
        let (mut count, mut refused, mut contests) = (0, 0, 0);
        loop {
            let mut find = Find::new(collection, filter.clone());
            find.guard = acl::guard(self.caller, collection, Right::Delete);
            find.limit = Some(limits::DELETE_BATCH_DOCUMENTS as u64);
            // What may be seen but not deleted stays, ahead of what comes next.
            find.skip = refused;
            let found = self.services.store.find(find).await?;
            if found.is_empty() {
                return Ok(count);
            }
            let read = found.len() as u64;
            let writes: Vec<Write> = found
                .into_iter()
                .filter(|document| self.may_delete(collection, document))
                .filter(|document| rules::check_delete(collection, document, self.caller).is_ok())
                .map(|document| delete(collection, document))
                .collect();
            let deleted = writes.len() as u64;
            if deleted > 0 {
                match self.commit(writes).await? {
                    Outcome::Written => contests = 0,
                    Outcome::Changed { .. } if contests < limits::WRITE_ATTEMPTS_MAX => {
                        contests += 1;
                        continue;
                    }
                    Outcome::Changed { .. } => return Err(contended_after(collection, count)),
                    outcome => return Err(unexpected(outcome)),
                }
            }
            count += deleted;
            refused += read - deleted;
        }
    }
}

fn contended_after(collection: &str, count: u64) -> Error {
    let text = format!(
        "deletemany of {collection}: others changed its documents each time it was tried; {count} were deleted before. Try again for the rest"
    );
    Error {
        retry: crate::error::Retry::Safe,
        ..Error::client(Code::Conflict, text)
    }
}

fn delete(collection: &str, expected: RawDocumentBuf) -> Write {
    Write::Delete {
        collection: collection.to_owned(),
        expected,
    }
}
