//! Writes to `users` (contract 4.7): mandatory and unique names, passwords, what only
//! admins change.

use bson::raw::{RawDocument, RawDocumentBuf};

use super::locks::Held;
use super::plan::{insert_denied, update_denied};
use super::writer::Writer;
use crate::auth::ace::{Ace, FULL_CONTROL, Right, acl_of, to_array};
use crate::auth::{acl, password, stamp, wellknown};
use crate::document::raw::{edit, get_bool, get_str};
use crate::error::{Code, Error, Result};

/// Only admins change these of a user.
const ADMINS_ONLY: [&str; 3] = ["username", "dbusage", "dblocked"];
/// False until somebody says otherwise.
const FLAGS: [&str; 3] = ["validated", "formvalidated", "emailvalidated"];

impl Writer<'_> {
    /// Applies the rules of `users` to a document about to be stored in it; leaves those
    /// of other collections alone. `stored` is what it replaces.
    pub async fn shape_user(
        &self,
        collection: &str,
        document: RawDocumentBuf,
        stored: Option<&RawDocument>,
    ) -> Result<RawDocumentBuf> {
        if collection != "users" {
            return Ok(document);
        }
        let shaped = match get_str(&document, "_type") {
            Some("user") => self.shape_one(document, stored).await?,
            Some("role") => {
                mandatory(&document, "name", "Name is mandatory")?;
                grant_self(document, Right::Read.mask())?
            }
            _ => return Ok(document),
        };
        self.check_names(&shaped, stored)?;
        Ok(shaped)
    }

    async fn shape_one(
        &self,
        mut user: RawDocumentBuf,
        stored: Option<&RawDocument>,
    ) -> Result<RawDocumentBuf> {
        if let Some(stored) = stored.filter(|_| !self.caller.is_admin) {
            for field in ADMINS_ONLY {
                user = keep(user, stored, field)?;
            }
        }
        let username = mandatory(&user, "username", "Username is mandatory for users")?;
        mandatory(&user, "name", "Name is mandatory")?;
        let lower = username.to_lowercase();
        let own = get_str(&user, "_id") == Some(&self.caller.id);
        let disables = get_bool(&user, "disabled").unwrap_or(false);
        if own && disables {
            return Err(Error::denied("Cannot disable yourself"));
        }
        user = edit(&user).set("username", lower).finish()?;
        user = self.with_password(user, stored).await?;
        if stored.is_none() {
            for flag in FLAGS
                .iter()
                .filter(|flag| get_bool(&user, flag).is_none())
                .copied()
                .collect::<Vec<_>>()
            {
                user = edit(&user).set(flag, false).finish()?;
            }
        }
        grant_self(user, FULL_CONTROL & !Right::Delete.mask())
    }

    /// Hashes `newpassword`. The hash itself comes only from what is stored or, for a new
    /// user, from an admin who brings it along from another server.
    async fn with_password(
        &self,
        user: RawDocumentBuf,
        stored: Option<&RawDocument>,
    ) -> Result<RawDocumentBuf> {
        let next = edit(&user).remove("newpassword");
        if let Some(text) = get_str(&user, "newpassword").filter(|text| !text.is_empty()) {
            let seam = &*self.services.seam;
            let cost = self.services.authority.password_cost();
            let hash = password::hash(seam, cost, text).await?;
            return next.set("passwordhash", hash).finish();
        }
        let next = next.finish()?;
        match stored {
            Some(stored) => keep(next, stored, "passwordhash"),
            None if self.caller.is_admin => Ok(next),
            None => edit(&next).remove("passwordhash").finish(),
        }
    }

    fn check_names(&self, document: &RawDocument, stored: Option<&RawDocument>) -> Result<()> {
        let well_known = get_str(document, "_id")
            .and_then(wellknown::by_id)
            .is_some();
        // Rights are given to these ids long before somebody creates them. And a guest that
        // could make a user for itself would be none.
        let may_create =
            stored.is_some() || self.caller.is_admin || !(well_known || self.caller.is_guest);
        if acl::keeps_reserved_names(document) && may_create {
            return Ok(());
        }
        Err(if stored.is_some() {
            update_denied(document)
        } else {
            insert_denied(document)
        })
    }

    /// Makes sure that no other user or role has the names of these documents of
    /// `collection`, and keeps it so until the locks are dropped.
    pub async fn claim_names<'d>(
        &self,
        collection: &str,
        documents: impl Iterator<Item = (&'d RawDocument, Option<&'d RawDocument>)>,
    ) -> Result<Option<Held>> {
        if collection != "users" {
            return Ok(None);
        }
        let mut claims: Vec<Claim<'d>> = documents.filter_map(Claim::of).collect();
        if claims.is_empty() {
            return Ok(None);
        }
        claims.sort_by_key(|claim| (claim.kind, claim.name));
        let keys = claims.iter().map(|claim| (claim.kind, claim.name));
        let held = self.services.locks.names.lock(keys).await;
        for pair in claims.windows(2) {
            if (pair[0].kind, pair[0].name) == (pair[1].kind, pair[1].name)
                && pair[0].id != pair[1].id
            {
                return Err(pair[0].taken());
            }
        }
        for claim in &claims {
            let others = self.find(collection, &claim.filter()?, None, 2).await?;
            if others.iter().any(|other| get_str(other, "_id") != claim.id) {
                return Err(claim.taken());
            }
        }
        Ok(Some(held))
    }
}

/// A name that must be unique among users, or among roles.
struct Claim<'a> {
    kind: &'static str,
    field: &'static str,
    name: &'a str,
    id: Option<&'a str>,
}

impl<'a> Claim<'a> {
    /// `None` when the document has no such name, or had it before.
    fn of((document, stored): (&'a RawDocument, Option<&'a RawDocument>)) -> Option<Self> {
        let (kind, field) = match get_str(document, "_type")? {
            "user" => ("user", "username"),
            "role" => ("role", "name"),
            _ => return None,
        };
        let name = get_str(document, field)?;
        let before = stored.and_then(|stored| get_str(stored, field));
        (before != Some(name)).then_some(Self {
            kind,
            field,
            name,
            id: get_str(document, "_id"),
        })
    }

    fn filter(&self) -> Result<RawDocumentBuf> {
        let none = RawDocumentBuf::new();
        edit(&none)
            .set("_type", self.kind)
            .set(self.field, self.name)
            .finish()
    }

    fn taken(&self) -> Error {
        let Self { kind, name, .. } = self;
        Error::client(
            Code::Conflict,
            format!("Access denied, {kind} '{name}' already exists"),
        )
    }
}

fn mandatory<'a>(document: &'a RawDocument, field: &str, refusal: &'static str) -> Result<&'a str> {
    let present = get_str(document, field).filter(|text| !text.trim().is_empty());
    present.ok_or_else(|| Error::invalid(refusal))
}

/// `field` as it is stored, whatever was sent.
fn keep(
    document: RawDocumentBuf,
    stored: &RawDocument,
    field: &'static str,
) -> Result<RawDocumentBuf> {
    match stored.get(field) {
        Ok(Some(value)) => edit(&document).set(field, value).finish(),
        _ => edit(&document).remove(field).finish(),
    }
}

/// An entry of a user or role for itself (contract 4.2).
fn grant_self(document: RawDocumentBuf, rights: u32) -> Result<RawDocumentBuf> {
    let (Some(id), Some(acl)) = (get_str(&document, "_id"), acl_of(&document)) else {
        return Ok(document);
    };
    let mut aces = stamp::sent(acl);
    if aces
        .iter()
        .any(|ace| ace.id == id && ace.rights & rights == rights && !ace.deny)
    {
        return Ok(document);
    }
    let name = get_str(&document, "name").unwrap_or_default();
    stamp::grant(
        &mut aces,
        Ace::allow(id, name, rights),
        crate::limits::ACE_COUNT_MAX,
    );
    edit(&document).set("_acl", to_array(&aces)).finish()
}
