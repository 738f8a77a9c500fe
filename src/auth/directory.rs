//! Users and roles as this shard knows them: a copy of the collection `users`, kept
//! current by the change feed. Pure: [`super::Authority`] reads the store for it.
//!
//! Effective roles are everything reachable upwards through `members`
//! ([`Directory::roles_of`]); identities are made when first asked for.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use bson::raw::{RawBsonRef, RawDocument};

use super::identity::{Identity, Profile, RoleName};
use super::wellknown;
use crate::document::raw::{get_array, get_bool, get_str};
use crate::store::{Change, Operation};

/// Fields of a user, role or customer that a directory reads.
pub const FIELDS: &[&str] = &[
    "_id", "_type", "name", "username", "email", "disabled", "dblocked", "members", "users",
    "admins", "userid",
];

/// See the module.
#[derive(Default)]
pub struct Directory {
    entries: HashMap<String, Entry>,
    /// Lower-case user name to user id.
    usernames: HashMap<String, String>,
    /// Lower-case mail address to user ids.
    emails: HashMap<String, BTreeSet<String>>,
    /// Member id to the roles that hold it directly.
    holders: HashMap<String, BTreeSet<String>>,
    identities: HashMap<String, Rc<Identity>>,
    /// Sequence number of the last change applied.
    position: u64,
    /// `collection_epoch(Users)` of what is known; `None` before the first read.
    epoch: Option<u64>,
}

enum Entry {
    User(Profile),
    Role {
        name: String,
        members: Vec<String>,
    },
    /// A customer or anything else; `principals` are the ids that count as its roles.
    Other {
        name: String,
        principals: Vec<String>,
    },
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Entry::User(profile) => &profile.name,
            Entry::Role { name, .. } | Entry::Other { name, .. } => name,
        }
    }
}

impl Directory {
    /// A directory of everything read when the feed stood at `epoch`.
    pub fn read<'a>(documents: impl Iterator<Item = &'a RawDocument>, epoch: u64) -> Self {
        let mut directory = Directory {
            position: epoch,
            epoch: Some(epoch),
            ..Directory::default()
        };
        documents.for_each(|document| directory.put(document));
        directory
    }

    pub fn is_current(&self, epoch: u64) -> bool {
        self.epoch == Some(epoch)
    }

    /// Sequence number after which changes are wanted; `None` before the first read.
    pub fn position(&self) -> Option<u64> {
        self.epoch.map(|_| self.position)
    }

    /// Applies changes of the feed, those of other collections included. Those already
    /// known are passed over, so that two readers of the feed cannot turn time back.
    pub fn apply(&mut self, changes: &[Change]) {
        let known = self.position;
        for change in changes.iter().filter(|change| change.sequence > known) {
            if change.collection == "users" {
                match change.operation {
                    Operation::Insert | Operation::Replace => self.put(&change.document),
                    Operation::Delete => self.remove(&id_of(&change.document)),
                }
            }
        }
        if let Some(last) = changes.last() {
            self.position = self.position.max(last.sequence);
        }
    }

    /// Everything up to `epoch` has been applied.
    pub fn reached(&mut self, epoch: u64) {
        self.position = self.position.max(epoch);
        if self.epoch != Some(epoch) {
            self.identities.clear();
        }
        self.epoch = Some(epoch);
    }

    fn put(&mut self, document: &RawDocument) {
        let id = id_of(document);
        self.remove(&id);
        let text = |name| get_str(document, name).unwrap_or_default().to_owned();
        let entry = match get_str(document, "_type") {
            Some("user") => Entry::User(self.put_user(&id, document)),
            Some("role") => {
                let members = member_ids(document);
                for member in &members {
                    self.holders
                        .entry(member.clone())
                        .or_default()
                        .insert(id.clone());
                }
                Entry::Role {
                    name: text("name"),
                    members,
                }
            }
            _ => {
                let principals = ["users", "admins", "userid"].map(text);
                let principals = principals.into_iter().filter(|id| !id.is_empty()).collect();
                Entry::Other {
                    name: text("name"),
                    principals,
                }
            }
        };
        self.entries.insert(id, entry);
    }

    fn put_user(&mut self, id: &str, document: &RawDocument) -> Profile {
        let text = |name| get_str(document, name).unwrap_or_default().to_owned();
        let flag = |name| get_bool(document, name).unwrap_or(false);
        let profile = Profile {
            name: text("name"),
            username: text("username"),
            email: text("email"),
            disabled: flag("disabled"),
            dblocked: flag("dblocked"),
        };
        if !profile.username.is_empty() {
            self.usernames
                .insert(profile.username.to_lowercase(), id.to_owned());
        }
        if !profile.email.is_empty() {
            self.emails
                .entry(profile.email.to_lowercase())
                .or_default()
                .insert(id.to_owned());
        }
        profile
    }

    fn remove(&mut self, id: &str) {
        self.identities.clear();
        match self.entries.remove(id) {
            Some(Entry::User(profile)) => {
                let username = profile.username.to_lowercase();
                if self
                    .usernames
                    .get(&username)
                    .is_some_and(|holder| holder == id)
                {
                    self.usernames.remove(&username);
                }
                forget(&mut self.emails, &profile.email.to_lowercase(), id);
            }
            Some(Entry::Role { members, .. }) => {
                for member in members {
                    forget(&mut self.holders, &member, id);
                }
            }
            Some(Entry::Other { .. }) | None => {}
        }
    }

    /// Current name of a user, role or customer.
    pub fn name_of(&self, id: &str) -> Option<String> {
        self.entries.get(id).map(|entry| entry.name().to_owned())
    }

    /// Id of the user with this user name or else this mail address; case makes no difference.
    pub fn find_user(&self, username_or_email: &str) -> Option<String> {
        let wanted = username_or_email.to_lowercase();
        let by_email = || self.emails.get(&wanted).and_then(BTreeSet::first);
        self.usernames.get(&wanted).or_else(by_email).cloned()
    }

    /// The identity of a user; `None` when there is no such user.
    pub fn identity(&mut self, id: &str) -> Option<Rc<Identity>> {
        if let Some(identity) = self.identities.get(id) {
            return Some(identity.clone());
        }
        let Entry::User(profile) = self.entries.get(id)? else {
            return None;
        };
        let epoch = self.epoch.unwrap_or_default();
        let identity = Rc::new(match id {
            wellknown::GUEST => Identity::guest(epoch),
            _ => Identity::new(id, profile.clone(), self.roles_of(id, true), epoch),
        });
        self.identities.insert(id.to_owned(), identity.clone());
        Some(identity)
    }

    /// What a user, role or customer could see: an identity for `queryas` (contract 4.2).
    pub fn seen_as(&mut self, id: &str) -> Option<Rc<Identity>> {
        let (name, own) = match self.entries.get(id)? {
            Entry::User(_) => return self.identity(id),
            Entry::Role { name, .. } => (name.clone(), Vec::new()),
            Entry::Other { name, principals } => (name.clone(), principals.clone()),
        };
        let mut roles = self.roles_of(id, false);
        roles.extend(own.into_iter().map(|id| RoleName {
            name: String::new(),
            id,
        }));
        let profile = Profile {
            name,
            ..Profile::default()
        };
        Some(Rc::new(Identity::new(
            id,
            profile,
            roles,
            self.epoch.unwrap_or_default(),
        )))
    }

    /// Effective roles of a user or role, by name: upwards through `members`, and for a
    /// user (`is_user`) everything that `users` reaches.
    fn roles_of(&self, id: &str, is_user: bool) -> Vec<RoleName> {
        let mut seen: HashSet<&str> = HashSet::new();
        let mut open: Vec<&str> = vec![id];
        if is_user {
            seen.insert(wellknown::USERS);
            open.push(wellknown::USERS);
        }
        while let Some(member) = open.pop() {
            for role in self.holders.get(member).into_iter().flatten() {
                if seen.insert(role) {
                    open.push(role);
                }
            }
        }
        let named = |id: &str| {
            let name = self.name_of(id);
            let name = name.or_else(|| wellknown::by_id(id).map(|row| row.name.to_owned()));
            RoleName {
                id: id.to_owned(),
                name: name.unwrap_or_default(),
            }
        };
        let mut roles: Vec<RoleName> = seen.into_iter().map(named).collect();
        roles.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        roles
    }
}

fn forget(index: &mut HashMap<String, BTreeSet<String>>, key: &str, id: &str) {
    if let Some(ids) = index.get_mut(key) {
        ids.remove(id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}

fn id_of(document: &RawDocument) -> String {
    match document.get("_id") {
        Ok(Some(RawBsonRef::String(text))) => text.to_owned(),
        Ok(Some(RawBsonRef::ObjectId(id))) => id.to_hex(),
        _ => String::new(),
    }
}

fn member_ids(role: &RawDocument) -> Vec<String> {
    let members = get_array(role, "members")
        .into_iter()
        .flatten()
        .map_while(Result::ok);
    let ids = members.filter_map(|member| Some(get_str(member.as_document()?, "_id")?.to_owned()));
    ids.collect()
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, rawdoc};

    use super::*;

    fn user(id: &str) -> RawDocumentBuf {
        rawdoc! { "_id": id, "_type": "user", "name": id, "username": id, "email": format!("{id}@x") }
    }

    fn role(id: &str, member: &str) -> RawDocumentBuf {
        rawdoc! { "_id": id, "_type": "role", "name": id, "members": [{ "_id": member }] }
    }

    fn role_of_two(id: &str, one: &str, two: &str) -> RawDocumentBuf {
        rawdoc! { "_id": id, "_type": "role", "name": id, "members": [{ "_id": one }, { "_id": two }] }
    }

    fn directory(documents: &[RawDocumentBuf]) -> Directory {
        Directory::read(documents.iter().map(|document| &**document), 1)
    }

    fn change(sequence: u64, operation: Operation, document: RawDocumentBuf) -> Change {
        Change {
            sequence,
            collection: "users".into(),
            operation,
            document,
        }
    }

    fn role_ids(directory: &mut Directory, id: &str) -> Vec<String> {
        directory
            .identity(id)
            .unwrap()
            .roles
            .iter()
            .map(|role| role.id.clone())
            .collect()
    }

    #[test]
    fn roles_are_found_upwards_and_cycles_end() {
        // a -> b -> c -> b
        let documents = [
            user("bob"),
            role("a", "bob"),
            role_of_two("b", "a", "c"),
            role("c", "b"),
        ];
        let mut directory = directory(&documents);
        assert_eq!(
            role_ids(&mut directory, "bob"),
            ["a", "b", "c", wellknown::USERS]
        );
    }

    #[test]
    fn every_user_is_in_users_and_what_holds_users() {
        let mut directory = directory(&[user("bob"), role("files", wellknown::USERS)]);
        assert_eq!(role_ids(&mut directory, "bob"), ["files", wellknown::USERS]);
    }

    #[test]
    fn the_guest_has_no_roles() {
        let mut directory = directory(&[user(wellknown::GUEST), role("files", wellknown::GUEST)]);
        assert!(role_ids(&mut directory, wellknown::GUEST).is_empty());
    }

    #[test]
    fn changes_are_followed_once_and_in_order() {
        let mut directory = directory(&[user("bob")]);
        let renamed = rawdoc! { "_id": "bob", "_type": "user", "name": "Bob", "username": "rob" };
        directory.apply(&[
            change(2, Operation::Replace, renamed),
            change(3, Operation::Insert, role("a", "bob")),
        ]);
        directory.reached(3);
        assert_eq!(directory.find_user("bob"), None);
        assert_eq!(directory.find_user("bob@x"), None);
        assert_eq!(directory.find_user("ROB").as_deref(), Some("bob"));
        assert_eq!(role_ids(&mut directory, "bob"), ["a", wellknown::USERS]);
        directory.apply(&[change(2, Operation::Delete, user("bob"))]);
        assert!(
            directory.identity("bob").is_some(),
            "a change of the past changes nothing"
        );
        directory.apply(&[change(4, Operation::Delete, user("bob"))]);
        assert!(directory.identity("bob").is_none());
    }

    #[test]
    fn a_role_and_a_customer_can_be_looked_through() {
        let customer = rawdoc! { "_id": "c", "_type": "customer", "name": "C", "users": "cu", "admins": "ca", "userid": "bob" };
        let mut directory = directory(&[customer, role("a", "x"), role("b", "a")]);
        let seen = directory.seen_as("c").unwrap();
        assert!(
            ["c", "cu", "ca", "bob"]
                .iter()
                .all(|id| seen.is_principal(id))
        );
        let seen = directory.seen_as("a").unwrap();
        assert!(seen.is_principal("a") && seen.is_principal("b") && !seen.is_principal("x"));
        assert!(directory.seen_as("nobody").is_none());
    }
}
