//! What every handler asks of its request: the caller, the message, the collection.

use std::rc::Rc;

use prost::{Message, Name};

use super::Request;
use crate::auth::Identity;
use crate::error::{Code, Error, Result};
use crate::limits;
use crate::wire::json_body;

/// Suffixes of collections that the server alone writes.
const SERVER_WRITTEN: [(&str, &str); 3] = [
    ("_hist", "it is written with each change of a document"),
    (".files", "files are changed by upload"),
    (".chunks", "files are changed by upload"),
];

impl Request {
    /// Reads the body: protobuf or the JSON text of the message (contract 2.2).
    ///
    /// Errors: `Invalid`, `Failed decoding openiap.<command> : <reason>`.
    pub fn decode<M: Message + Name + Default>(&self) -> Result<M> {
        // The common case first: the name is wanted only for a refusal or for JSON.
        if let (Some(first), Ok(message)) = (self.body.first(), M::decode(&self.body[..]))
            && *first != b'{'
        {
            return Ok(message);
        }
        let command = M::NAME
            .strip_suffix("Request")
            .unwrap_or(M::NAME)
            .to_ascii_lowercase();
        json_body::decode(&command, &self.body)
    }

    /// The caller.
    ///
    /// Errors: `Unauthenticated` when there is none, which only a row open to anyone allows.
    pub fn caller(&self) -> Result<&Rc<Identity>> {
        let missing = || Error::unauthenticated("Not signed in, and missing jwt");
        self.identity.as_ref().ok_or_else(missing)
    }
}

/// The collection of a read; `files` is `fs.files` (contract 4.7).
///
/// Errors: `Invalid` when it is missing, too long or holds what no name may.
pub fn collection(name: &str) -> Result<&str> {
    match name {
        "" => Err(Error::invalid("collectionname is mandatory")),
        "files" => Ok("fs.files"),
        name if name.len() > limits::COLLECTION_NAME_BYTES_MAX => {
            let (size, bound) = (name.len(), limits::COLLECTION_NAME_BYTES_MAX);
            Err(Error::too_large(format!(
                "collectionname has {size} bytes, at most {bound}"
            )))
        }
        name if name.contains(['\0', '$']) => Err(Error::invalid(format!(
            "collectionname {name:?} holds a NUL character or a $"
        ))),
        name => Ok(name),
    }
}

/// The collection of a write.
///
/// Errors: as [`collection`]; `Denied` for collections that only the server writes.
pub fn writable(name: &str) -> Result<&str> {
    let name = collection(name)?;
    if name.starts_with("system.") {
        return Err(Error::denied(format!(
            "Access denied, {name} belongs to the server"
        )));
    }
    match SERVER_WRITTEN
        .iter()
        .find(|(suffix, _)| name.ends_with(suffix))
    {
        Some((_, why)) => Err(Error::denied(format!(
            "Access denied, {name} takes no such writes: {why}"
        ))),
        None => Ok(name),
    }
}

/// Refuses writes of a user that is over its quota (contract 4.7).
pub fn check_quota(identity: &Identity) -> Result<()> {
    match identity.dblocked {
        true => Err(Error::denied(format!(
            "Access denied (db locked) could be due to hitting quota limit for {}",
            identity.username
        ))),
        false => Ok(()),
    }
}

/// A write that lost against others each time; nothing was written.
pub fn contended(command: &str, what: &str) -> Error {
    let text = format!(
        "{command} of {what}: others changed it each time it was tried. Nothing was written: try again"
    );
    Error {
        retry: crate::error::Retry::Safe,
        ..Error::client(Code::Conflict, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_have_names() {
        assert_eq!(
            &*collection("").unwrap_err().context,
            "collectionname is mandatory"
        );
        assert_eq!(collection("files").unwrap(), "fs.files");
        assert!(collection("a$b").is_err() && collection(&"a".repeat(300)).is_err());
    }

    #[test]
    fn history_and_files_are_not_written_by_hand() {
        for name in [
            "entities_hist",
            "fs.files",
            "files",
            "fs.chunks",
            "system.views",
            "",
        ] {
            assert!(writable(name).is_err(), "{name}");
        }
        assert_eq!(writable("entities").unwrap(), "entities");
    }
}
