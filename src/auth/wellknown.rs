//! Users and roles whose ids every client knows (contract 4.4), and the names that
//! nobody else may use.

/// Whether a row is a user or a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    User,
    Role,
}

/// When the server creates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    AtStart,
    /// At start, where customers separate users (`multi_tenant`).
    WithTenants,
    Never,
}

/// A row of the table.
#[derive(Debug)]
pub struct WellKnown {
    pub name: &'static str,
    pub id: &'static str,
    pub kind: Kind,
    pub created: Created,
}

pub const ROOT: &str = "59f1f6e6f0a22200126638d8";
pub const GUEST: &str = "65cb30c40ff51e174095573c";
pub const ADMINS: &str = "5a1702fa245d9013697656fb";
pub const USERS: &str = "5a17f157c4815318c8536c21";
pub const FILESTORE_USERS: &str = "5b6ab63c8d4a64b7c47f4a8f";

const fn row(name: &'static str, id: &'static str, kind: Kind, created: Created) -> WellKnown {
    WellKnown {
        name,
        id,
        kind,
        created,
    }
}

/// Contract 4.4.
pub const TABLE: &[WellKnown] = &[
    row("root", ROOT, Kind::User, Created::AtStart),
    row("guest", GUEST, Kind::User, Created::AtStart),
    row("admins", ADMINS, Kind::Role, Created::AtStart),
    row("users", USERS, Kind::Role, Created::AtStart),
    row(
        "filestore admins",
        "5b6ab63c8d4a64b7c47f4a8e",
        Kind::Role,
        Created::AtStart,
    ),
    row(
        "filestore users",
        FILESTORE_USERS,
        Kind::Role,
        Created::AtStart,
    ),
    row(
        "workitem queue admins",
        "625440c4231309af5f2052cd",
        Kind::Role,
        Created::AtStart,
    ),
    row(
        "workitem queue users",
        "62544134231309e2cd2052ce",
        Kind::Role,
        Created::AtStart,
    ),
    row(
        "customer admins",
        "5a1702fa245d9013697656fc",
        Kind::Role,
        Created::WithTenants,
    ),
    row(
        "resellers",
        "5a1702fa245d9013697656fd",
        Kind::Role,
        Created::WithTenants,
    ),
    row(
        "robots",
        "5ac0850ca538fee1ebdb996c",
        Kind::Role,
        Created::Never,
    ),
    row(
        "robot users",
        "5aef0142f3683977b0aa3dd3",
        Kind::Role,
        Created::Never,
    ),
    row(
        "robot admins",
        "5aef0142f3683977b0aa3dd2",
        Kind::Role,
        Created::Never,
    ),
    row(
        "robot agent users",
        "5f33c29d8fe78504bd259a04",
        Kind::Role,
        Created::Never,
    ),
    row(
        "nodered users",
        "5a23f18a2e8987292ddbe061",
        Kind::Role,
        Created::Never,
    ),
    row(
        "nodered admins",
        "5a17f157c4815318c8536c20",
        Kind::Role,
        Created::Never,
    ),
    row(
        "nodered api users",
        "5a17f157c4815318c8536c22",
        Kind::Role,
        Created::Never,
    ),
    row(
        "personal nodered users",
        "5a23f18a2e8987292ddbe062",
        Kind::Role,
        Created::Never,
    ),
];

/// Reserved beyond the names of [`TABLE`].
const RESERVED: &[&str] = &[
    "user",
    "admin",
    "nodered",
    "administrator",
    "workflow",
    "robot",
    "reseller",
];

pub fn by_id(id: &str) -> Option<&'static WellKnown> {
    TABLE.iter().find(|row| row.id == id)
}

/// Whether only a well-known id may carry this name. Case, and spaces against
/// underscores, make no difference.
pub fn is_reserved(name: &str) -> bool {
    let is = |reserved: &&str| same(name, reserved);
    RESERVED.iter().any(is) || TABLE.iter().any(|row| is(&row.name))
}

/// Whether a user or role of this id may carry this name: a well-known id only its
/// own, every other id none that is reserved.
pub fn agrees(id: &str, name: &str) -> bool {
    match by_id(id) {
        Some(row) => same(name, row.name),
        None => !is_reserved(name),
    }
}

fn same(name: &str, reserved: &str) -> bool {
    name.len() == reserved.len()
        && name.bytes().zip(reserved.bytes()).all(|(a, b)| {
            let a = if a == b'_' {
                b' '
            } else {
                a.to_ascii_lowercase()
            };
            a == b
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_are_unique() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.id.len(), 24, "{}", row.name);
            let twins = |other: &&WellKnown| other.id == row.id || other.name == row.name;
            assert!(
                !TABLE[index + 1..].iter().any(|other| twins(&other)),
                "{}",
                row.name
            );
        }
    }

    #[test]
    fn reserved_names_belong_to_their_ids() {
        assert!(agrees(ROOT, "root"));
        assert!(!agrees(ROOT, "bob"));
        assert!(!agrees("000000000000000000000000", "Root"));
        assert!(!agrees("", "filestore_ADMINS"));
        assert!(!agrees("", "Administrator"));
        assert!(agrees("000000000000000000000000", "rooter"));
    }
}
