//! What the writing commands share: the caller, the time, finding what is stored,
//! committing what was planned.

use std::rc::Rc;

use bson::DateTime;
use bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf, cstr};

use super::access::check_quota;
use super::{Request, Services};
use crate::auth::ace::Right;
use crate::auth::{Identity, acl};
use crate::document::filter::Filter;
use crate::document::raw::get_str;
use crate::error::{Code, Error, Result, Retry};
use crate::store::{Find, Outcome, Write, WriteBatch};

/// One request that writes.
pub(super) struct Writer<'a> {
    pub services: &'a Services,
    pub caller: &'a Rc<Identity>,
    /// Time of the write, one for all its documents.
    pub now: DateTime,
    priority: u8,
}

impl<'a> Writer<'a> {
    /// Names in entries are refreshed from the users of now, so those are read first.
    ///
    /// Errors: `Denied` over quota; those of the store.
    pub async fn begin(request: &'a Request) -> Result<Writer<'a>> {
        let caller = request.caller()?;
        check_quota(caller)?;
        request.services.authority.refresh().await?;
        Ok(Self {
            services: &request.services,
            caller,
            now: DateTime::from_millis(request.services.seam.clock().unix_ms()),
            priority: request.priority,
        })
    }

    /// Documents that meet `filter` and, unless `right` is `None`, that the caller has the right for.
    pub async fn find(
        &self,
        collection: &str,
        filter: &RawDocument,
        right: Option<Right>,
        limit: u64,
    ) -> Result<Vec<RawDocumentBuf>> {
        let mut find = Find::new(collection, Rc::new(Filter::parse(filter)?));
        find.guard = right.and_then(|right| acl::guard(self.caller, collection, right));
        find.limit = Some(limit);
        self.services.store.find(find).await
    }

    /// As [`Writer::find`], by `_id`.
    pub async fn find_by_id(
        &self,
        collection: &str,
        id: RawBsonRef<'_>,
        right: Option<Right>,
    ) -> Result<Option<RawDocumentBuf>> {
        Ok(self.find(collection, &by_id(id), right, 1).await?.pop())
    }

    pub async fn commit(&self, writes: Vec<Write>) -> Result<Outcome> {
        self.services
            .store
            .write(WriteBatch {
                writes,
                priority: self.priority,
            })
            .await
    }
}

/// `{_id: id}`.
pub(super) fn by_id(id: RawBsonRef<'_>) -> RawDocumentBuf {
    let mut filter = RawDocumentBuf::new();
    filter.append(cstr!("_id"), id);
    filter
}

/// `_id` as a client names it; `None` for what counts as absent (contract 4.1).
pub(super) fn id_of(document: &RawDocument) -> Option<RawBsonRef<'_>> {
    match document.get("_id") {
        Ok(Some(RawBsonRef::Null | RawBsonRef::String(""))) | Ok(None) | Err(_) => None,
        Ok(Some(id)) => Some(id),
    }
}

/// An `_id` for people.
pub(super) fn id_text(id: RawBsonRef<'_>) -> String {
    match id {
        RawBsonRef::String(text) => text.to_owned(),
        RawBsonRef::ObjectId(id) => id.to_hex(),
        other => format!("{other:?}"),
    }
}

/// `<type> <name>`, as refusals name a document.
pub(super) fn title(document: &RawDocument) -> String {
    let text = |name| get_str(document, name).unwrap_or_default();
    format!("{} {}", text("_type"), text("name"))
}

/// An insert of an `_id` that exists, in the words of the database that clients know.
pub(super) fn duplicate(collection: &str, document: &RawDocument) -> Error {
    let id = id_of(document).map(id_text).unwrap_or_default();
    let text = format!(
        "E11000 duplicate key error collection: {collection} index: _id_ dup key: {{ _id: \"{id}\" }}, a document with this _id already exists"
    );
    Error::client(Code::Conflict, text)
}

/// What a store never answers to such a batch.
pub(super) fn unexpected(outcome: Outcome) -> Error {
    let text = format!("The store answered {outcome:?} to a batch that cannot have it");
    Error {
        retry: Retry::Unsafe,
        ..Error::internal(text)
    }
}
