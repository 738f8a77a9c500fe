//! `listcollections` (contract 6.1).

use serde_json::{Value, json};

use super::{Reply, ReplyFuture, Request};
use crate::auth::Identity;
use crate::error::Error;
use crate::store::CollectionInfo;
use crate::wire::proto::ListCollectionsRequest;

/// Listed even before anything is stored in them.
const ALWAYS: [&str; 2] = ["audit", "entities"];

pub fn listcollections(request: Request) -> ReplyFuture {
    Box::pin(async move {
        let message: ListCollectionsRequest = request.decode()?;
        let stored = request.services.store.collections().await?;
        let entries = entries(stored, message.includehist, request.caller()?);
        Reply::text("ListCollectionsResponse", 1, |out| {
            serde_json::to_writer(out, &entries)
                .map_err(|error| Error::internal("The list could not be written").because(error))
        })
    })
}

fn entries(stored: Vec<CollectionInfo>, includehist: bool, caller: &Identity) -> Vec<Value> {
    let mut entries: Vec<(String, Value)> = stored
        .into_iter()
        .map(|info| (info.name.clone(), describe(&info)))
        .collect();
    for name in ALWAYS {
        if !entries.iter().any(|(known, _)| known == name) {
            entries.push((
                name.to_owned(),
                json!({ "name": name, "type": "collection" }),
            ));
        }
    }
    entries.retain(|(name, _)| is_listed(name, includehist, caller));
    entries.sort_by_cached_key(|(name, _)| (name.to_lowercase(), name.clone()));
    entries.into_iter().map(|(_, entry)| entry).collect()
}

fn describe(info: &CollectionInfo) -> Value {
    json!({
        "name": info.name,
        "type": "collection",
        "options": {},
        "info": { "readOnly": false, "uuid": info.uuid },
        "idIndex": { "v": 2, "key": { "_id": 1 }, "name": "_id_" },
    })
}

fn is_listed(name: &str, includehist: bool, caller: &Identity) -> bool {
    if name.starts_with("system.") {
        return caller.is_admin && name == "system.profile";
    }
    let hidden = name.ends_with(".chunks")
        || (name.ends_with("_hist") && !includehist)
        || (name == "audit" && caller.is_guest);
    !hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(stored: &[&str], includehist: bool, caller: &Identity) -> Vec<String> {
        let info = |name: &&str| CollectionInfo {
            name: name.to_string(),
            uuid: "u".into(),
        };
        let entries = entries(stored.iter().map(info).collect(), includehist, caller);
        entries
            .iter()
            .map(|entry| entry["name"].as_str().unwrap_or_default().into())
            .collect()
    }

    #[test]
    fn the_list_is_sorted_and_hides_what_is_not_for_the_caller() {
        let guest = Identity::guest(0);
        let stored = [
            "users",
            "Alpha",
            "users_hist",
            "fs.chunks",
            "system.profile",
            "system.views",
        ];
        assert_eq!(
            names(&stored, false, &guest),
            ["Alpha", "entities", "users"]
        );
        let root = Identity::new(crate::auth::wellknown::ROOT, Default::default(), vec![], 0);
        let listed = names(&stored, true, &root);
        assert_eq!(
            listed,
            [
                "Alpha",
                "audit",
                "entities",
                "system.profile",
                "users",
                "users_hist"
            ]
        );
    }

    #[test]
    fn an_entry_says_what_clients_read() {
        let info = CollectionInfo {
            name: "a".into(),
            uuid: "0-1".into(),
        };
        let entry = describe(&info);
        assert_eq!(entry["info"]["uuid"], "0-1");
        assert_eq!(entry["idIndex"]["name"], "_id_");
        assert_eq!(entry["info"]["readOnly"], false);
    }
}
