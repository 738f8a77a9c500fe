//! What must exist before the first door opens: the well-known users and roles
//! (contract 4.4), root's password, and the secret that signs tokens.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bson::DateTime;
use bson::raw::{RawArrayBuf, RawDocumentBuf, cstr};

use super::ace::{Ace, FULL_CONTROL, Right, to_array};
use super::password::{self, Cost};
use super::wellknown::{self, Created, Kind, WellKnown};
use crate::config::Settings;
use crate::error::{Code, Error, Result, Retry};
use crate::seam::{Clock, Seam};
use crate::store::{DocumentStore, Outcome, Write, WriteBatch};

/// File in the data folder that keeps a generated `aes_secret`.
const SECRET_FILE: &str = "secret";
/// Shortest secret accepted from that file, characters.
const SECRET_CHARACTERS_MIN: usize = 32;
/// Characters of a generated root password: 119 bits.
const PASSWORD_CHARACTERS: usize = 20;

/// Creates the well-known users and roles that are missing; does nothing to those that
/// are there. Returns root's password when this call created root and nobody had chosen
/// a password: it is shown once and kept nowhere.
pub async fn prepare(
    store: &dyn DocumentStore,
    seam: &dyn Seam,
    settings: &Settings,
    cost: Cost,
) -> Result<Option<String>> {
    let mut shown = None;
    for row in wellknown::TABLE
        .iter()
        .filter(|row| is_wanted(row, settings))
    {
        if exists(store, row.id).await? {
            continue;
        }
        let mut document = describe(row, seam.clock(), settings);
        if row.id == wellknown::ROOT {
            let chosen = settings.root_password.clone();
            let password = chosen
                .clone()
                .unwrap_or_else(|| generate_password(seam.clock()));
            let hash = password::hash(seam, cost, &password).await?;
            document.append(cstr!("passwordhash"), hash);
            shown = chosen.is_none().then_some(password);
        }
        let writes = vec![Write::Insert {
            collection: "users".into(),
            document,
        }];
        let outcome = store
            .write(WriteBatch {
                writes,
                priority: 3,
            })
            .await?;
        if outcome != Outcome::Written && row.id == wellknown::ROOT {
            // Somebody else created root meanwhile; this password is not root's.
            shown = None;
        }
    }
    Ok(shown)
}

fn is_wanted(row: &WellKnown, settings: &Settings) -> bool {
    match row.created {
        Created::AtStart => true,
        Created::WithTenants => settings.multi_tenant,
        Created::Never => false,
    }
}

async fn exists(store: &dyn DocumentStore, id: &str) -> Result<bool> {
    let mut by_id = RawDocumentBuf::new();
    by_id.append(cstr!("_id"), id);
    let filter = crate::document::filter::Filter::parse(&by_id)?;
    let find = crate::store::Find::new("users", std::rc::Rc::new(filter));
    Ok(store.count(find).await? > 0)
}

fn describe(row: &WellKnown, clock: &dyn Clock, settings: &Settings) -> RawDocumentBuf {
    let now = DateTime::from_millis(clock.unix_ms());
    let admins = Ace::allow(wellknown::ADMINS, "admins", FULL_CONTROL);
    let mut document = RawDocumentBuf::new();
    document.append(cstr!("_id"), row.id);
    document.append(cstr!("name"), row.name);
    let own = match row.kind {
        Kind::User => {
            document.append(cstr!("_type"), "user");
            document.append(cstr!("username"), row.name);
            for flag in [
                cstr!("validated"),
                cstr!("formvalidated"),
                cstr!("emailvalidated"),
            ] {
                document.append(flag, true);
            }
            FULL_CONTROL & !Right::Delete.mask()
        }
        Kind::Role => {
            document.append(cstr!("_type"), "role");
            document.append(cstr!("members"), members(row, settings));
            Right::Read.mask()
        }
    };
    // Full control stands once for admins itself; everyone else also gets its own entry.
    let own = Ace::allow(row.id, row.name, own);
    let acl = if row.id == wellknown::ADMINS {
        vec![admins]
    } else {
        vec![admins, own]
    };
    document.append(cstr!("_acl"), to_array(&acl));
    document.append(cstr!("_created"), now);
    document.append(cstr!("_createdby"), "root");
    document.append(cstr!("_createdbyid"), wellknown::ROOT);
    document.append(cstr!("_modified"), now);
    document.append(cstr!("_modifiedby"), "root");
    document.append(cstr!("_modifiedbyid"), wellknown::ROOT);
    document.append(cstr!("_version"), 0);
    document
}

fn members(row: &WellKnown, settings: &Settings) -> RawArrayBuf {
    let member = match row.id {
        wellknown::ADMINS => Some((wellknown::ROOT, "root")),
        wellknown::FILESTORE_USERS if !settings.multi_tenant => Some((wellknown::USERS, "users")),
        _ => None,
    };
    let mut members = RawArrayBuf::new();
    if let Some((id, name)) = member {
        let mut entry = RawDocumentBuf::new();
        entry.append(cstr!("_id"), id);
        entry.append(cstr!("name"), name);
        members.push(entry);
    }
    members
}

/// Letters and digits that cannot be mistaken for one another.
fn generate_password(clock: &dyn Clock) -> String {
    const LETTERS: &[u8; 56] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ2345678";
    let pick = |_| LETTERS[(clock.random_u64() % LETTERS.len() as u64) as usize] as char;
    (0..PASSWORD_CHARACTERS).map(pick).collect()
}

/// `aes_secret`: as set, or the one kept in `<data>/secret`, or a new one that is put
/// there, readable by its owner only.
///
/// Errors: `Unavailable` when the file cannot be read or written, `Corrupt` when it
/// holds no secret.
pub fn secret(data: &Path, settings: &Settings, clock: &dyn Clock) -> Result<String> {
    if let Some(secret) = &settings.aes_secret {
        return Ok(secret.clone());
    }
    let path = data.join(SECRET_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => checked(text.trim(), &path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => create(data, &path, clock),
        Err(error) => Err(unavailable("read", &path, error)),
    }
}

fn checked(secret: &str, path: &Path) -> Result<String> {
    if secret.chars().count() >= SECRET_CHARACTERS_MIN {
        return Ok(secret.to_owned());
    }
    let text = format!(
        "{} holds fewer than {SECRET_CHARACTERS_MIN} characters: restore it from a backup, or \
         remove it to start with a new secret, which ends every token issued so far",
        path.display()
    );
    Err(Error::backend(Code::Corrupt, Retry::Never, text))
}

fn create(data: &Path, path: &Path, clock: &dyn Clock) -> Result<String> {
    let secret: String = (0..4)
        .map(|_| format!("{:016x}", clock.random_u64()))
        .collect();
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(data)?;
        // By another name first: a half-written secret would end every token at the next start.
        let fresh = path.with_extension("new");
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(secret.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        fs::File::open(data)?.sync_all()
    };
    write().map_err(|error| unavailable("write", path, error))?;
    Ok(secret)
}

fn unavailable(what: &str, path: &Path, error: std::io::Error) -> Error {
    let text = format!(
        "Cannot {what} {}: give the server's user access to it, or set aes_secret",
        path.display()
    );
    Error::backend(Code::Unavailable, Retry::Never, text).because(error)
}

#[cfg(test)]
#[path = "bootstrap_tests.rs"]
mod tests;
