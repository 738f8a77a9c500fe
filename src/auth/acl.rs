//! Who may do what with a document (contract 4.2): the check of one object, and the
//! guard that a store applies to every document it would return.
//!
//! `deny` is enforced: an entry that denies a right to one of the caller's ids takes it
//! away, whatever other entries grant (the reference stores it and ignores it,
//! contract 16.12). `root` and members of `admins` pass both the guard and the object
//! check; the reference lets admins pass only the former (contract 16.16).

use std::rc::Rc;

use bson::raw::{RawArray, RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr};

use super::ace::{Right, acl_of, entries};
use super::{Identity, wellknown};
use crate::store::Guard;

/// Whether some entry for one of the identity's ids grants the right and none denies it.
pub fn grants(acl: &RawArray, identity: &Identity, right: Right) -> bool {
    let mut granted = false;
    for ace in entries(acl) {
        if ace.rights & right.mask() != 0 && identity.is_principal(ace.id) {
            if ace.deny {
                return false;
            }
            granted = true;
        }
    }
    granted
}

/// As [`grants`], but of several entries for one id only the first speaks (contract
/// 4.2, object check, rule 5).
fn first_entries_grant(acl: &RawArray, identity: &Identity, right: Right) -> bool {
    let mut granted = false;
    for (index, ace) in entries(acl).enumerate() {
        if ace.rights & right.mask() == 0 || !identity.is_principal(ace.id) {
            continue;
        }
        if ace.deny {
            return false;
        }
        let is_first = || !entries(acl).take(index).any(|earlier| earlier.id == ace.id);
        granted = granted || is_first();
    }
    granted
}

/// The object check, `hasAuthorization`: may `identity` do this with this document?
pub fn authorize(identity: &Identity, document: &RawDocument, right: Right) -> bool {
    if identity.is_root {
        return true;
    }
    if !keeps_reserved_names(document) {
        return false;
    }
    if identity.is_admin {
        return true;
    }
    let text = |name| {
        document
            .get(name)
            .ok()
            .flatten()
            .and_then(RawBsonRef::as_str)
    };
    let own = text("_type") == Some("user") && text("_id") == Some(&identity.id);
    if own && right != Right::Delete {
        return true;
    }
    acl_of(document).is_none_or(|acl| first_entries_grant(acl, identity, right))
}

/// Whether a user or role document keeps the names of [`wellknown`] to their ids; every
/// other document does.
pub fn keeps_reserved_names(document: &RawDocument) -> bool {
    let text = |name| {
        document
            .get(name)
            .ok()
            .flatten()
            .and_then(RawBsonRef::as_str)
    };
    let agrees = |name: &str| wellknown::agrees(text("_id").unwrap_or_default(), name);
    match text("_type") {
        Some("user") => text("name").is_none_or(agrees) && text("username").is_none_or(agrees),
        Some("role") => text("name").is_none_or(agrees),
        _ => true,
    }
}

/// What a caller may see of a collection. `None`: everything.
pub fn guard(identity: &Rc<Identity>, collection: &str, right: Right) -> Option<Guard> {
    if identity.is_admin {
        return None;
    }
    if hidden(identity, collection) {
        return Some(nothing());
    }
    let in_metadata = collection.ends_with(".files");
    let filter = filter(
        identity,
        if in_metadata { "metadata._acl" } else { "_acl" },
        right,
    );
    let identity = identity.clone();
    let admits = move |document: &RawDocument| {
        let holder = if in_metadata {
            metadata(document)
        } else {
            Some(document)
        };
        holder
            .and_then(acl_of)
            .is_some_and(|acl| grants(acl, &identity, right))
    };
    Some(Guard {
        admits: Rc::new(admits),
        filter,
    })
}

/// Collections that some callers never see (contract 4.5, 4.7).
fn hidden(identity: &Identity, collection: &str) -> bool {
    collection == "oauthtokens" || (identity.is_guest && collection == "audit")
}

fn metadata(document: &RawDocument) -> Option<&RawDocument> {
    document.get("metadata").ok()??.as_document()
}

/// A guard that admits no document.
pub fn nothing() -> Guard {
    let mut never = RawDocumentBuf::new();
    never.append(cstr!("$in"), RawArrayBuf::new());
    let mut filter = RawDocumentBuf::new();
    filter.append(cstr!("_id"), never);
    Guard {
        admits: Rc::new(|_| false),
        filter,
    }
}

/// Both conditions at once; `None` is no condition.
pub fn both(first: Option<Guard>, second: Option<Guard>) -> Option<Guard> {
    let (Some(first), Some(second)) = (&first, &second) else {
        return first.or(second);
    };
    let mut parts = RawArrayBuf::new();
    parts.push(first.filter.clone());
    parts.push(second.filter.clone());
    let mut filter = RawDocumentBuf::new();
    filter.append(cstr!("$and"), parts);
    let (one, two) = (first.admits.clone(), second.admits.clone());
    Some(Guard {
        admits: Rc::new(move |document| one(document) && two(document)),
        filter,
    })
}

/// [`grants`] as a MongoDB filter. The legacy text form of `rights` is not found by it.
fn filter(identity: &Identity, path: &str, right: Right) -> RawDocumentBuf {
    let granting = match_entry(identity, path, right, false);
    let mut denying = RawArrayBuf::new();
    denying.push(match_entry(identity, path, right, true));
    let mut filter = granting;
    filter.append(cstr!("$nor"), denying);
    filter
}

fn match_entry(identity: &Identity, path: &str, right: Right, deny: bool) -> RawDocumentBuf {
    let mut ids = RawArrayBuf::new();
    identity.principals().for_each(|id| ids.push(id));
    let mut one_of = RawDocumentBuf::new();
    one_of.append(cstr!("$in"), ids);
    let mut bits = RawDocumentBuf::new();
    bits.append(cstr!("$bitsAllSet"), right.mask() as i32);
    let mut entry = RawDocumentBuf::new();
    entry.append(cstr!("_id"), one_of);
    entry.append(cstr!("rights"), bits);
    if deny {
        entry.append(cstr!("deny"), true);
    } else {
        let mut allowed = RawDocumentBuf::new();
        allowed.append(cstr!("$ne"), true);
        entry.append(cstr!("deny"), allowed);
    }
    let mut matches = RawDocumentBuf::new();
    matches.append(cstr!("$elemMatch"), entry);
    let mut filter = RawDocumentBuf::new();
    let path = if path == "_acl" {
        cstr!("_acl")
    } else {
        cstr!("metadata._acl")
    };
    filter.append(path, matches);
    filter
}

#[cfg(test)]
#[path = "acl_tests.rs"]
mod tests;
