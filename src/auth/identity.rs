//! Who sends a message: the user, its roles, and what a rights check needs of them.

use std::collections::HashSet;

use super::wellknown;

/// A role of a user, as `SigninResponse.user.roles` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleName {
    pub id: String,
    pub name: String,
}

/// A user at one moment of the collection `users`; shared by `Rc`, never changed.
#[derive(Clone, Debug)]
pub struct Identity {
    pub id: String,
    pub name: String,
    pub username: String,
    /// Empty when the user has none.
    pub email: String,
    /// Effective roles, by name.
    pub roles: Vec<RoleName>,
    pub is_root: bool,
    /// An effective member of `admins`; root always is.
    pub is_admin: bool,
    pub is_guest: bool,
    pub disabled: bool,
    /// May not write (contract 4.7).
    pub dblocked: bool,
    /// `store.collection_epoch(Users)` when this was looked up.
    pub epoch: u64,
    principals: HashSet<Box<str>, foldhash::fast::RandomState>,
}

/// What the directory knows of a user when it makes an identity of it.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    pub name: String,
    pub username: String,
    pub email: String,
    pub disabled: bool,
    pub dblocked: bool,
}

impl Identity {
    pub fn new(id: &str, profile: Profile, roles: Vec<RoleName>, epoch: u64) -> Self {
        let is_root = id == wellknown::ROOT;
        let own = std::iter::once(id);
        let principals = own
            .chain(roles.iter().map(|role| role.id.as_str()))
            .map(Box::from);
        Self {
            principals: principals.collect(),
            is_root,
            is_admin: is_root || roles.iter().any(|role| role.id == wellknown::ADMINS),
            is_guest: id == wellknown::GUEST,
            id: id.to_owned(),
            name: profile.name,
            username: profile.username,
            email: profile.email,
            disabled: profile.disabled,
            dblocked: profile.dblocked,
            roles,
            epoch,
        }
    }

    /// Contract 4.5: no roles, not even `users`.
    pub fn guest(epoch: u64) -> Self {
        let profile = Profile {
            name: "guest".into(),
            username: "guest".into(),
            ..Profile::default()
        };
        Self::new(wellknown::GUEST, profile, Vec::new(), epoch)
    }

    /// Whether an access control entry for `id` speaks of this identity.
    pub fn is_principal(&self, id: &str) -> bool {
        self.principals.contains(id)
    }

    /// The user's own id and the ids of its roles, in no order.
    pub fn principals(&self) -> impl Iterator<Item = &str> {
        self.principals.iter().map(|id| &**id)
    }
}
