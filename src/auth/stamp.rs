//! The `_acl` of a document that is written (contract 4.2): defaults on insert, and the
//! cleaning that every write does.

use bson::raw::RawArray;

use super::ace::{Ace, AceRef, FULL_CONTROL, Right, entries};
use super::{Identity, wellknown};

/// Settings that decide.
#[derive(Clone, Copy, Debug)]
pub struct AclRules {
    /// `admins` holds full control of every document.
    pub force_add_admins: bool,
    /// Entries kept on a document.
    pub ace_count_max: usize,
}

/// The entries a client sent.
pub fn sent(acl: &RawArray) -> Vec<Ace> {
    entries(acl).map(AceRef::to_owned).collect()
}

/// Entries of a new document: without any, full control for `admins`; and full control
/// for the writer, unless the entries give it already.
pub fn with_defaults(acl: Option<&RawArray>, identity: &Identity, rules: AclRules) -> Vec<Ace> {
    let mut aces = acl.map(sent).unwrap_or_default();
    if acl.is_none() || rules.force_add_admins {
        grant(&mut aces, admins(), usize::MAX);
    }
    let full =
        |ace: &Ace| !ace.deny && ace.rights == FULL_CONTROL && identity.is_principal(&ace.id);
    if !aces.iter().any(full) {
        aces.push(Ace::allow(&identity.id, &identity.name, FULL_CONTROL));
    }
    aces
}

/// Cleans entries: none twice, none empty, none for ids that do not exist, names fresh,
/// at most `ace_count_max`; `admins` where settings say so; and never without read and
/// update for the writer.
///
/// `name_of` gives the current name of a user or role, `None` when there is none.
pub fn clean(
    aces: Vec<Ace>,
    identity: &Identity,
    rules: AclRules,
    name_of: impl Fn(&str) -> Option<String>,
) -> Vec<Ace> {
    let mut kept: Vec<Ace> = Vec::with_capacity(aces.len().min(rules.ace_count_max));
    for mut ace in aces {
        let known = |other: &Ace| {
            other.id == ace.id && other.rights == ace.rights && other.deny == ace.deny
        };
        if ace.rights == 0 || kept.len() >= rules.ace_count_max || kept.iter().any(known) {
            continue;
        }
        let Some(name) = name_of(&ace.id) else {
            continue;
        };
        ace.name = name;
        kept.push(ace);
    }
    if rules.force_add_admins {
        grant(&mut kept, admins(), rules.ace_count_max);
    }
    let lacks = |right| !identity.is_root && !granted(&kept, identity, right);
    if lacks(Right::Read) || lacks(Right::Update) {
        let own = Ace::allow(&identity.id, &identity.name, FULL_CONTROL);
        grant(&mut kept, own, rules.ace_count_max);
    }
    kept
}

fn admins() -> Ace {
    Ace::allow(wellknown::ADMINS, "admins", FULL_CONTROL)
}

fn granted(aces: &[Ace], identity: &Identity, right: Right) -> bool {
    let speaks = |ace: &&Ace| ace.rights & right.mask() != 0 && identity.is_principal(&ace.id);
    let mut speaking = aces.iter().filter(speaks).peekable();
    speaking.peek().is_some() && speaking.all(|ace| !ace.deny)
}

/// Makes `ace` the only entry of its id, in place of the last one where there is no room.
pub fn grant(aces: &mut Vec<Ace>, ace: Ace, count_max: usize) {
    let same = |other: &Ace| other.id == ace.id;
    if let Some(first) = aces.iter().position(same) {
        let mut index = 0;
        aces.retain(|other| {
            index += 1;
            index - 1 == first || !same(other)
        });
        aces[first] = ace;
        return;
    }
    if aces.len() >= count_max {
        let last = aces.iter().rposition(|other| other.id != wellknown::ADMINS);
        aces.remove(last.unwrap_or(aces.len() - 1));
    }
    aces.push(ace);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::identity::{Profile, RoleName};

    const RULES: AclRules = AclRules {
        force_add_admins: true,
        ace_count_max: 4,
    };

    fn user(roles: &[&str]) -> Identity {
        let role = |id: &&str| RoleName {
            id: id.to_string(),
            name: id.to_string(),
        };
        let profile = Profile {
            name: "Bob".into(),
            ..Profile::default()
        };
        Identity::new("bob", profile, roles.iter().map(role).collect(), 1)
    }

    fn everybody(id: &str) -> Option<String> {
        Some(format!("name of {id}"))
    }

    fn ids(aces: &[Ace]) -> Vec<&str> {
        aces.iter().map(|ace| ace.id.as_str()).collect()
    }

    #[test]
    fn a_new_document_belongs_to_admins_and_its_writer() {
        assert_eq!(
            ids(&with_defaults(None, &user(&[]), RULES)),
            [wellknown::ADMINS, "bob"]
        );
        let admin = user(&[wellknown::ADMINS]);
        assert_eq!(
            ids(&with_defaults(None, &admin, RULES)),
            [wellknown::ADMINS]
        );
    }

    #[test]
    fn cleaning_drops_what_does_not_count() {
        let aces = vec![
            Ace::allow("bob", "old name", FULL_CONTROL),
            Ace::allow("bob", "twice", FULL_CONTROL),
            Ace::allow("a", "", 0),
            Ace::allow("gone", "", 2),
        ];
        let name_of = |id: &str| (id != "gone").then(|| id.to_uppercase());
        let cleaned = clean(aces, &user(&[]), RULES, name_of);
        assert_eq!(ids(&cleaned), ["bob", wellknown::ADMINS]);
        assert_eq!(cleaned[0].name, "BOB");
    }

    #[test]
    fn a_writer_never_locks_itself_out() {
        let denied = Ace {
            deny: true,
            ..Ace::allow("bob", "", 2)
        };
        for aces in [
            vec![Ace::allow("a", "", 2)],
            vec![Ace::allow("bob", "", 2)],
            vec![denied],
        ] {
            let cleaned = clean(aces, &user(&[]), RULES, everybody);
            let own: Vec<&Ace> = cleaned.iter().filter(|ace| ace.id == "bob").collect();
            assert_eq!(own, [&Ace::allow("bob", "Bob", FULL_CONTROL)]);
        }
    }

    #[test]
    fn the_bound_holds_and_required_entries_fit_in_it() {
        let aces = (0..10).map(|n| Ace::allow(&n.to_string(), "", 2)).collect();
        let cleaned = clean(aces, &user(&[]), RULES, everybody);
        assert_eq!(ids(&cleaned), ["0", "1", wellknown::ADMINS, "bob"]);
    }
}
