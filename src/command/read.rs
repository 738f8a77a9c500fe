//! `query` and `count` (contract 6.2).

use std::rc::Rc;

use bson::raw::{RawDocument, RawDocumentBuf};

use super::access::collection;
use super::{Reply, ReplyFuture, Request};
use crate::auth::Identity;
use crate::auth::ace::Right;
use crate::auth::acl;
use crate::document::filter::Filter;
use crate::document::json;
use crate::document::projection::Projection;
use crate::document::raw::edit;
use crate::document::sort::Sort;
use crate::error::{Error, Result};
use crate::limits;
use crate::store::{Find, Guard};
use crate::wire::proto::{CountRequest, CountResponse, QueryRequest};

/// The field of a user that only admins see or ask for.
const PASSWORD_HASH: &str = "passwordhash";

pub fn query(request: Request) -> ReplyFuture {
    Box::pin(async move {
        let message: QueryRequest = request.decode()?;
        let find = find_of_query(&request, &message).await?;
        let documents = request.services.store.find(find).await?;
        let documents = without_hashes(documents, &message.collectionname, request.caller()?)?;
        Reply::text("QueryResponse", 1, |out| {
            json::write_documents(&documents, out)
        })
    })
}

pub fn count(request: Request) -> ReplyFuture {
    Box::pin(async move {
        let message: CountRequest = request.decode()?;
        let collection = collection(&message.collectionname)?;
        let filter = filter(&message.query, collection, request.caller()?)?;
        let mut find = Find::new(collection, filter);
        find.guard = guard(&request, collection, &message.queryas).await?;
        let count = request.services.store.count(find).await?;
        let result = i32::try_from(count).unwrap_or(i32::MAX);
        Ok(Reply::of("CountResponse", &CountResponse { result }))
    })
}

async fn find_of_query(request: &Request, message: &QueryRequest) -> Result<Find> {
    let collection = collection(&message.collectionname)?;
    let filter = filter(&message.query, collection, request.caller()?)?;
    let mut find = Find::new(collection, filter);
    // Files are projected nowhere: clients read them whole (contract 4.7).
    if !message.projection.trim().is_empty() && !collection.ends_with(".files") {
        let spec = json::parse_query(&message.projection, "projection")?;
        find.projection = Projection::parse(&spec)?.map(Rc::new);
    }
    check_order(&message.orderby, collection, request.caller()?)?;
    find.sort = Sort::parse_orderby(&message.orderby)?.map(Rc::new);
    find.skip = u64::try_from(message.skip).unwrap_or(0);
    let top = if message.top > 0 {
        i64::from(message.top)
    } else {
        limits::QUERY_TOP_DEFAULT
    };
    find.limit = Some(top.unsigned_abs());
    find.guard = guard(request, collection, &message.queryas).await?;
    Ok(find)
}

/// What the caller may read and, with `queryas`, what that user, role or customer may
/// read too. An unknown id may read nothing (contract 16.8).
async fn guard(request: &Request, collection: &str, queryas: &str) -> Result<Option<Guard>> {
    let own = acl::guard(request.caller()?, collection, Right::Read);
    if queryas.is_empty() {
        return Ok(own);
    }
    let other = match request.services.authority.seen_as(queryas).await? {
        Some(identity) => acl::guard(&identity, collection, Right::Read),
        None => Some(acl::nothing()),
    };
    Ok(acl::both(own, other))
}

/// The filter of a `query` field.
///
/// Errors: `Query is mandatory` without one; `Denied` for asking about password hashes.
pub(super) fn filter(text: &str, collection: &str, caller: &Identity) -> Result<Rc<Filter>> {
    if text.trim().is_empty() {
        return Err(Error::invalid("Query is mandatory"));
    }
    let source = json::parse_query(text, "query")?;
    if hides_hashes(collection, caller) && mentions_hash(source.as_bytes()) {
        return Err(hash_denied());
    }
    Ok(Rc::new(Filter::parse(&source)?))
}

/// An order by hash would tell about it as a filter does; an escaped spelling too.
fn check_order(orderby: &str, collection: &str, caller: &Identity) -> Result<()> {
    let suspicious = mentions_hash(orderby.as_bytes()) || orderby.contains('\\');
    match hides_hashes(collection, caller) && suspicious {
        true => Err(hash_denied()),
        false => Ok(()),
    }
}

fn hides_hashes(collection: &str, caller: &Identity) -> bool {
    collection == "users" && !caller.is_admin
}

fn mentions_hash(bytes: &[u8]) -> bool {
    bytes
        .windows(PASSWORD_HASH.len())
        .any(|window| window == PASSWORD_HASH.as_bytes())
}

fn hash_denied() -> Error {
    Error::denied("Access denied, passwordhash is for admins only")
}

/// Documents as a caller may see them: no password hashes except for admins.
pub(super) fn without_hashes(
    mut documents: Vec<RawDocumentBuf>,
    collection: &str,
    caller: &Identity,
) -> Result<Vec<RawDocumentBuf>> {
    if hides_hashes(collection, caller) {
        for document in &mut documents {
            if has_hash(document) {
                *document = edit(document).remove(PASSWORD_HASH).finish()?;
            }
        }
    }
    Ok(documents)
}

fn has_hash(document: &RawDocument) -> bool {
    matches!(document.get(PASSWORD_HASH), Ok(Some(_)))
}
