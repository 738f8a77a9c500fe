//! `updateone` (contract 6.5): read, plan, replace if still unchanged, else again.

use bson::raw::{RawDocument, RawDocumentBuf};

use super::access::{contended, writable};
use super::plan::differs;
use super::read::without_hashes;
use super::rules;
use super::writer::{Writer, id_of, id_text, unexpected};
use super::{Reply, ReplyFuture, Request};
use crate::auth::ace::Right;
use crate::document::json;
use crate::error::{Code, Error, Result};
use crate::limits;
use crate::store::{Outcome, Write};
use crate::wire::proto::UpdateOneRequest;

pub fn updateone(request: Request) -> ReplyFuture {
    Box::pin(async move {
        let message: UpdateOneRequest = request.decode()?;
        let collection = writable(&message.collectionname)?;
        let item = json::parse_optional(&message.item, "item")?
            .ok_or_else(|| Error::invalid("Cannot update null item"))?;
        let writer = Writer::begin(&request).await?;
        let updated = writer.update(collection, &item).await?;
        let updated = without_hashes(vec![updated], collection, writer.caller)?;
        Reply::text("UpdateOneResponse", 1, |out| {
            json::write_document(&updated[0], out)
        })
    })
}

impl Writer<'_> {
    async fn update(&self, collection: &str, item: &RawDocument) -> Result<RawDocumentBuf> {
        let id = id_of(item).ok_or_else(|| Error::invalid("Cannot update item without _id"))?;
        // Updates of one document take turns in this process: a client may send many at once,
        // and each would otherwise make the others start again.
        let locks = &self.services.locks.documents;
        let _turn = locks.lock([(collection, id_text(id))]).await;
        for attempt in 0..limits::WRITE_ATTEMPTS_MAX {
            let stored = self.find_by_id(collection, id, Some(Right::Read)).await?;
            let stored = stored.ok_or_else(|| missing(&id_text(id), collection, attempt))?;
            let Some(next) = self.replaced(collection, &stored, item, false).await? else {
                return Ok(stored);
            };
            let renamed = [(&*next, Some(&*stored))];
            let _held = self.claim_names(collection, renamed.into_iter()).await?;
            match self
                .commit(vec![replace(collection, &stored, &next)])
                .await?
            {
                Outcome::Written => return Ok(next),
                Outcome::Changed { .. } => {}
                outcome => return Err(unexpected(outcome)),
            }
        }
        Err(contended("updateone", &id_text(id)))
    }

    /// The replacement by every rule of its collection; `None` when nothing would change.
    pub(super) async fn replaced(
        &self,
        collection: &str,
        stored: &RawDocument,
        item: &RawDocument,
        lenient: bool,
    ) -> Result<Option<RawDocumentBuf>> {
        rules::check_update(collection, stored, self.caller)?;
        let next = self.replacement(collection, stored, item, lenient)?;
        let next = rules::shape(collection, next)?;
        let next = self.shape_user(collection, next, Some(stored)).await?;
        Ok(differs(stored, &next).then_some(next))
    }
}

fn missing(id: &str, collection: &str, attempt: usize) -> Error {
    let text = match attempt {
        0 => format!("item {id} not found in {collection} or Access Denied"),
        // It was there a moment ago.
        _ => format!("ReplaceOne failed, matched 0 documents with query {{_id: '{id}'}}"),
    };
    Error::client(Code::NotFound, text)
}

pub(super) fn replace(collection: &str, stored: &RawDocument, next: &RawDocumentBuf) -> Write {
    Write::Replace {
        collection: collection.to_owned(),
        expected: stored.to_owned(),
        document: next.clone(),
    }
}
