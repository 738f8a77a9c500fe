//! What a document becomes when it is inserted or replaced (contract 4.1, 6.4, 6.5).
//! Pure but for the caller's identity and the time, both in the [`Writer`].

use bson::raw::{CStr, RawBsonRef, RawDocument, RawDocumentBuf, cstr};

use super::writer::{Writer, id_of, title};
use crate::auth::ace::{Right, acl_of, to_array};
use crate::auth::{acl, stamp};
use crate::document::raw::{check, edit, get_array, get_i64, get_str};
use crate::error::{Code, Error, Result};

/// Fields that the server sets, or that never reach a document.
const MANAGED: [&str; 12] = [
    "_id",
    "_type",
    "_acl",
    "_created",
    "_createdby",
    "_createdbyid",
    "_modified",
    "_modifiedby",
    "_modifiedbyid",
    "_version",
    "_skiphistory",
    "_updatereason",
];
/// Set once, kept by every replacement.
const CREATION: [&str; 3] = ["_created", "_createdby", "_createdbyid"];
/// Collections whose documents keep `_version` 0 (contract 4.8).
const UNVERSIONED: [&str; 6] = [
    "audit",
    "oauthtokens",
    "openrpa_instances",
    "workflow_instances",
    "workitems",
    "mailhist",
];
/// Fields whose change alone is no change.
const UNREMARKABLE: [&str; 5] = [
    "_modified",
    "_modifiedby",
    "_modifiedbyid",
    "_version",
    "lastseen",
];

impl Writer<'_> {
    /// A new document: system fields stamped, `_acl` defaulted and cleaned.
    ///
    /// Errors: `Denied` without create right; `Invalid` for an `_id` that is no text.
    pub fn new_document(
        &self,
        collection: &str,
        item: &RawDocument,
        keep_id: bool,
    ) -> Result<RawDocumentBuf> {
        refuse_encryption(item)?;
        let mut out = RawDocumentBuf::new();
        match id_of(item).filter(|_| keep_id) {
            Some(id @ (RawBsonRef::String(_) | RawBsonRef::ObjectId(_))) => {
                out.append(cstr!("_id"), id)
            }
            Some(_) => return Err(Error::invalid("_id must be text")),
            None => out.append(cstr!("_id"), self.services.authority.fresh_id()),
        }
        copy(item, &mut out, |name| !MANAGED.contains(&name))?;
        out.append(cstr!("_type"), kind(item, None));
        let authority = &self.services.authority;
        let aces = stamp::with_defaults(acl_of(item), self.caller, authority.acl_rules());
        let name_of = |id: &str| authority.name_of(id);
        let aces = stamp::clean(aces, self.caller, authority.acl_rules(), name_of);
        out.append(cstr!("_acl"), to_array(&aces));
        out.append(cstr!("_created"), self.now);
        out.append(cstr!("_createdby"), self.caller.name.as_str());
        out.append(cstr!("_createdbyid"), self.caller.id.as_str());
        if collection != "audit" {
            self.stamp_modified(&mut out);
        }
        out.append(cstr!("_version"), 0);
        check(&out, "item")?;
        if !acl::authorize(self.caller, &out, Right::Create) {
            return Err(insert_denied(&out));
        }
        Ok(out)
    }

    /// `stored` replaced by `item`: fields that `item` lacks disappear, those that start
    /// with `_` stay unless `item` says `null`. With `lenient` a caller that the new
    /// `_acl` would lock out gets an entry instead of a refusal (contract 6.7).
    ///
    /// Errors: `Denied` without update right by the stored or by the new `_acl`.
    pub fn replacement(
        &self,
        collection: &str,
        stored: &RawDocument,
        item: &RawDocument,
        lenient: bool,
    ) -> Result<RawDocumentBuf> {
        refuse_encryption(item)?;
        if !acl::authorize(self.caller, stored, Right::Update) {
            return Err(update_denied(stored));
        }
        let sent = acl_of(item);
        if let Some(sent) = sent.filter(|_| !lenient) {
            let next = edit(stored).set("_acl", sent.to_owned()).finish()?;
            if !acl::authorize(self.caller, &next, Right::Update) {
                return Err(Error::denied(
                    "Access denied, no authorization to UpdateOne with current ACL",
                ));
            }
        }
        let mut out = RawDocumentBuf::new();
        copy(stored, &mut out, |name| name == "_id")?;
        copy_fields(item, &mut out)?;
        let sent_field = |name: &str| matches!(item.get(name), Ok(Some(_)));
        copy(stored, &mut out, |name| {
            name.starts_with('_') && !MANAGED.contains(&name) && !sent_field(name)
        })?;
        out.append(cstr!("_type"), kind(item, Some(stored)));
        let authority = &self.services.authority;
        let aces = sent.or(acl_of(stored)).map(stamp::sent).unwrap_or_default();
        let name_of = |id: &str| authority.name_of(id);
        let aces = stamp::clean(aces, self.caller, authority.acl_rules(), name_of);
        out.append(cstr!("_acl"), to_array(&aces));
        copy(stored, &mut out, |name| CREATION.contains(&name))?;
        self.stamp_modified(&mut out);
        let version = get_i64(stored, "_version").unwrap_or(0);
        let next = if UNVERSIONED.contains(&collection) {
            0
        } else {
            version.saturating_add(1)
        };
        append_integer(&mut out, cstr!("_version"), next);
        check(&out, "item")?;
        Ok(out)
    }

    fn stamp_modified(&self, out: &mut RawDocumentBuf) {
        out.append(cstr!("_modified"), self.now);
        out.append(cstr!("_modifiedby"), self.caller.name.as_str());
        out.append(cstr!("_modifiedbyid"), self.caller.id.as_str());
    }
}

/// Whether a replacement differs in more than who changed it when.
pub(super) fn differs(stored: &RawDocument, next: &RawDocument) -> bool {
    let kept = |document: &RawDocument| {
        let names = document
            .iter()
            .map_while(Result::ok)
            .map(|(name, _)| name.as_str());
        names.filter(|name| !UNREMARKABLE.contains(name)).count()
    };
    if kept(stored) != kept(next) {
        return true;
    }
    next.iter().map_while(Result::ok).any(|(name, value)| {
        let name = name.as_str();
        !UNREMARKABLE.contains(&name)
            && !matches!(stored.get(name), Ok(Some(old)) if same(old, value))
    })
}

fn same(old: RawBsonRef<'_>, new: RawBsonRef<'_>) -> bool {
    match (old, new) {
        (RawBsonRef::Document(old), RawBsonRef::Document(new)) => old.as_bytes() == new.as_bytes(),
        (RawBsonRef::Array(old), RawBsonRef::Array(new)) => old.as_bytes() == new.as_bytes(),
        (old, new) => old == new,
    }
}

pub(super) fn insert_denied(document: &RawDocument) -> Error {
    let title = title(document);
    Error::denied(format!(
        "Access denied, no authorization to InsertOne {title} to database"
    ))
}

pub(super) fn update_denied(document: &RawDocument) -> Error {
    let title = title(document);
    Error::denied(format!(
        "Access denied, no authorization to UpdateOne {title} to database"
    ))
}

/// Lower-case `_type`; a user stays a user and a role a role (contract 4.7).
fn kind(item: &RawDocument, stored: Option<&RawDocument>) -> String {
    let before = stored.and_then(|stored| get_str(stored, "_type"));
    if let Some(fixed @ ("user" | "role")) = before {
        return fixed.to_owned();
    }
    // A null removes the field, and without it the default holds.
    let sent = match item.get("_type") {
        Ok(Some(value)) => value.as_str().or(Some("")),
        _ => before,
    };
    match sent.unwrap_or_default() {
        "" => "unknown".to_owned(),
        kind => kind.to_lowercase(),
    }
}

/// The fields of an update that become part of the document.
fn copy_fields(item: &RawDocument, out: &mut RawDocumentBuf) -> Result<()> {
    for element in item.iter() {
        let (name, value) = element.map_err(damaged)?;
        let removed = name.as_str().starts_with('_') && matches!(value, RawBsonRef::Null);
        if !MANAGED.contains(&name.as_str()) && !removed {
            out.append(name, value);
        }
    }
    Ok(())
}

fn copy(from: &RawDocument, out: &mut RawDocumentBuf, wanted: impl Fn(&str) -> bool) -> Result<()> {
    for element in from.iter() {
        let (name, value) = element.map_err(damaged)?;
        if wanted(name.as_str()) {
            out.append(name, value);
        }
    }
    Ok(())
}

fn append_integer(out: &mut RawDocumentBuf, name: &CStr, value: i64) {
    match i32::try_from(value) {
        Ok(value) => out.append(name, value),
        Err(_) => out.append(name, value),
    }
}

fn damaged(error: bson::error::Error) -> Error {
    Error::client(Code::Corrupt, "The document is damaged").because(error)
}

/// Storing in clear what a client wants encrypted would be worse than refusing it.
fn refuse_encryption(item: &RawDocument) -> Result<()> {
    match get_array(item, "_encrypt").is_some_and(|fields| !fields.is_empty()) {
        true => Err(Error::client(
            Code::Unimplemented,
            "Encrypted fields (_encrypt) are not available on this server yet",
        )),
        false => Ok(()),
    }
}
