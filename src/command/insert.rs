//! `insertone` and `insertmany` (contract 6.4).
//!
//! `w` and `j` are hints: a reply means that the document is durable, whatever they
//! say. `insertmany` stores all its items or none.

use bson::raw::{RawDocument, RawDocumentBuf};

use super::access::writable;
use super::read::without_hashes;
use super::rules;
use super::writer::{Writer, duplicate, unexpected};
use super::{Reply, ReplyFuture, Request};
use crate::document::json;
use crate::error::{Error, Result};
use crate::limits;
use crate::store::{Outcome, Write};
use crate::wire::proto::{InsertManyRequest, InsertOneRequest};

pub fn insertone(request: Request) -> ReplyFuture {
    Box::pin(async move {
        let message: InsertOneRequest = request.decode()?;
        let collection = writable(&message.collectionname)?;
        let item = json::parse_optional(&message.item, "item")?.ok_or_else(null_item)?;
        let writer = Writer::begin(&request).await?;
        let stored = writer.insert(collection, &[item]).await?;
        let stored = without_hashes(stored, collection, writer.caller)?;
        Reply::text("InsertOneResponse", 1, |out| {
            json::write_document(&stored[0], out)
        })
    })
}

pub fn insertmany(request: Request) -> ReplyFuture {
    Box::pin(async move {
        let message: InsertManyRequest = request.decode()?;
        let collection = writable(&message.collectionname)?;
        let items = items(&message.items)?;
        let writer = Writer::begin(&request).await?;
        let mut stored = writer.insert(collection, &items).await?;
        if message.skipresults {
            stored.clear();
        }
        let stored = without_hashes(stored, collection, writer.caller)?;
        Reply::text("InsertManyResponse", 1, |out| {
            json::write_documents(&stored, out)
        })
    })
}

/// The items of a request for many.
pub(super) fn items(text: &str) -> Result<Vec<RawDocumentBuf>> {
    if text.trim().is_empty() {
        return Err(null_item());
    }
    let items = json::parse_documents(text, "items")?;
    if items.is_empty() {
        return Err(null_item());
    }
    if items.len() > limits::BATCH_ITEMS_MAX {
        let (count, bound) = (items.len(), limits::BATCH_ITEMS_MAX);
        return Err(Error::too_large(format!(
            "items has {count} items, at most {bound}: send them in parts"
        )));
    }
    Ok(items)
}

fn null_item() -> Error {
    Error::invalid("Cannot create null item")
}

impl Writer<'_> {
    /// Inserts all items or none; returns them as stored.
    async fn insert(
        &self,
        collection: &str,
        items: &[RawDocumentBuf],
    ) -> Result<Vec<RawDocumentBuf>> {
        let mut documents = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            documents.push(self.shaped(collection, item, true).await?);
            if index % limits::SCAN_BATCH_DOCUMENTS == limits::SCAN_BATCH_DOCUMENTS - 1 {
                self.services.seam.yield_now().await;
            }
        }
        let new = documents.iter().map(|document| (&**document, None));
        let _held = self.claim_names(collection, new).await?;
        let writes = documents
            .iter()
            .map(|document| insert(collection, document))
            .collect();
        match self.commit(writes).await? {
            Outcome::Written => Ok(documents),
            Outcome::Duplicate { index } => Err(duplicate(collection, &documents[index])),
            outcome => Err(unexpected(outcome)),
        }
    }

    /// A new document by every rule of its collection.
    pub(super) async fn shaped(
        &self,
        collection: &str,
        item: &RawDocument,
        keep_id: bool,
    ) -> Result<RawDocumentBuf> {
        let document = self.new_document(collection, item, keep_id)?;
        let document = rules::shape(collection, document)?;
        self.shape_user(collection, document, None).await
    }
}

pub(super) fn insert(collection: &str, document: &RawDocumentBuf) -> Write {
    Write::Insert {
        collection: collection.to_owned(),
        document: document.clone(),
    }
}
