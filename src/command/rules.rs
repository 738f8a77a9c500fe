//! Rules of single collections (contract 4.7) beyond those of `users`, which have
//! [`super::users`].

use bson::raw::{RawDocument, RawDocumentBuf};

use crate::auth::Identity;
use crate::document::raw::{edit, get_str};
use crate::error::{Error, Result};

/// Before a document is stored, new or replaced.
pub(super) fn shape(collection: &str, document: RawDocumentBuf) -> Result<RawDocumentBuf> {
    if collection != "mq" || !matches!(get_str(&document, "_type"), Some("queue" | "exchange")) {
        return Ok(document);
    }
    match get_str(&document, "name").map(|name| (name.to_lowercase(), name)) {
        Some((lower, name)) if lower != name => edit(&document).set("name", lower).finish(),
        _ => Ok(document),
    }
}

/// Whether this caller may replace this document at all.
pub(super) fn check_update(
    collection: &str,
    stored: &RawDocument,
    caller: &Identity,
) -> Result<()> {
    match collection {
        "audit" => Err(Error::denied("Access denied")),
        "config" if get_str(stored, "_type") == Some("config") && !caller.is_admin => Err(
            Error::denied("Access denied, no authorization to update config"),
        ),
        _ => Ok(()),
    }
}

/// Whether this caller may delete this document at all.
pub(super) fn check_delete(
    collection: &str,
    stored: &RawDocument,
    caller: &Identity,
) -> Result<()> {
    match (collection, get_str(stored, "_type")) {
        ("audit", _) if !caller.is_admin => Err(Error::denied("Access denied")),
        ("mq", Some("workitemqueue")) => Err(Error::denied(
            "Access Denied, you must call DeleteWorkItemQueue to delete",
        )),
        ("agents", Some("agent" | "package")) => Err(Error::denied(
            "Access denied, use packages page or api to delete package",
        )),
        _ => Ok(()),
    }
}

/// Whether `deletemany` is open for a collection.
pub(super) fn check_delete_many(collection: &str) -> Result<()> {
    match collection {
        "agents" => Err(Error::denied(
            "Access denied, use agents page or api to delete agents",
        )),
        _ => Ok(()),
    }
}
