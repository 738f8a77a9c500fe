use serde_json::{Value, json};

use crate::auth::wellknown;
use crate::command::testing::World;

#[test]
fn a_new_document_is_stamped() {
    let world = World::new();
    let bob = world.user("bob");
    let stored = bob.insert(
        "entities",
        json!({ "name": "x", "_type": "Thing", "_version": 9, "_created": "no", "_skiphistory": true, "when": "2020-01-02T03:04:05.678Z" }),
    );
    assert_eq!(stored["_id"].as_str().unwrap().len(), 24);
    assert_eq!(stored["_type"], "thing");
    assert_eq!(stored["_version"], 0);
    assert_eq!(stored["_createdby"], "BOB");
    assert_eq!(stored["_createdbyid"], bob.id());
    assert_eq!(stored["_modifiedbyid"], bob.id());
    assert_eq!(stored["_created"], stored["_modified"]);
    assert!(stored["_created"].as_str().unwrap().ends_with('Z'));
    assert_eq!(stored["when"], "2020-01-02T03:04:05.678Z");
    assert!(stored.get("_skiphistory").is_none());
    let ids: Vec<&Value> = stored["_acl"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ace| &ace["_id"])
        .collect();
    assert_eq!(ids, [wellknown::ADMINS, bob.id()]);
    assert_eq!(stored["_acl"][0]["rights"], 65_535);
    assert_eq!(bob.query("entities", json!({ "name": "x" })), [stored]);
}

#[test]
fn ids_are_kept_made_or_refused() {
    let world = World::new();
    let bob = world.user("bob");
    assert_eq!(bob.insert("c", json!({ "_id": "mine" }))["_id"], "mine");
    for absent in [json!({ "_id": null }), json!({ "_id": "" }), json!({})] {
        assert_eq!(bob.insert("c", absent)["_id"].as_str().unwrap().len(), 24);
    }
    let twice = json!({ "collectionname": "c", "item": { "_id": "mine" } });
    assert!(bob.refused("insertone", twice).contains("already exists"));
    let number = json!({ "collectionname": "c", "item": { "_id": 5 } });
    assert_eq!(bob.refused("insertone", number), "_id must be text");
}

#[test]
fn bad_requests_are_refused_in_the_words_of_the_contract() {
    let world = World::new();
    let root = world.root();
    for (message, text) in [
        (json!({ "item": "{}" }), "collectionname is mandatory"),
        (json!({ "collectionname": "c" }), "Cannot create null item"),
        (
            json!({ "collectionname": "c", "item": "null" }),
            "Cannot create null item",
        ),
    ] {
        assert_eq!(root.refused("insertone", message), text);
    }
    for items in ["", "[]", "[{},null]"] {
        let message = json!({ "collectionname": "c", "items": items });
        assert_eq!(
            root.refused("insertmany", message),
            "Cannot create null item",
            "{items}"
        );
    }
    let broken = json!({ "collectionname": "c", "item": "{" });
    assert!(
        root.refused("insertone", broken)
            .starts_with("Invalid JSON in item: ")
    );
    let secret = json!({ "collectionname": "c", "item": { "a": 1, "_encrypt": ["a"] } });
    assert!(root.refused("insertone", secret).contains("_encrypt"));
    let hist = json!({ "collectionname": "c_hist", "item": {} });
    assert!(root.refused("insertone", hist).contains("c_hist"));
    assert!(root.query("c", json!({})).is_empty(), "nothing was written");
}

#[test]
fn many_are_stored_together_or_not_at_all() {
    let world = World::new();
    let bob = world.user("bob");
    let message = json!({ "collectionname": "c", "items": [{ "n": 1 }, { "n": 2 }] });
    let results = bob.ok("insertmany", message)["results"].clone();
    assert_eq!((&results[0]["n"], &results[1]["n"]), (&json!(1), &json!(2)));
    let skipped = json!({ "collectionname": "c", "items": [{ "n": 3 }], "skipresults": true });
    assert_eq!(bob.ok("insertmany", skipped)["results"], json!([]));
    let clash =
        json!({ "collectionname": "c", "items": [{ "n": 4 }, { "_id": "a" }, { "_id": "a" }] });
    assert!(bob.refused("insertmany", clash).contains("duplicate key"));
    assert_eq!(bob.query("c", json!({})).len(), 3);
}

#[test]
fn entries_sent_along_are_cleaned() {
    let world = World::new();
    let (bob, ann) = (world.user("bob"), world.user("ann"));
    let acl = json!([
        { "_id": ann.id(), "name": "wrong", "rights": 2 },
        { "_id": "000000000000000000000000", "rights": 2 },
        { "_id": ann.id(), "rights": 0 },
    ]);
    let stored = bob.insert("c", json!({ "_acl": acl }));
    let acl = stored["_acl"].as_array().unwrap();
    let found: Vec<(&Value, &Value)> = acl
        .iter()
        .map(|ace| (&ace["name"], &ace["rights"]))
        .collect();
    let full = json!(65_535);
    assert_eq!(
        found,
        [
            (&json!("ANN"), &json!(2)),
            (&json!("admins"), &full),
            (&json!("BOB"), &full),
        ]
    );
    assert_eq!(ann.query("c", json!({})).len(), 1);
}

#[test]
fn a_role_may_be_denied_creation() {
    let world = World::new();
    let bob = world.user("bob");
    let role = world.role("interns", bob.id());
    let bob = world.by_id(bob.id());
    let acl = json!([{ "_id": role, "rights": 1, "deny": true }]);
    let message =
        json!({ "collectionname": "c", "item": { "_type": "a", "name": "b", "_acl": acl } });
    let text = "Access denied, no authorization to InsertOne a b to database";
    assert_eq!(bob.refused("insertone", message), text);
}

#[test]
fn queue_names_are_lower_case_and_audit_keeps_no_changes() {
    let world = World::new();
    let root = world.root();
    assert_eq!(
        root.insert("mq", json!({ "_type": "queue", "name": "MyQueue" }))["name"],
        "myqueue"
    );
    assert!(
        root.insert("audit", json!({ "name": "x" }))
            .get("_modified")
            .is_none()
    );
}

#[test]
fn a_blocked_user_writes_nothing() {
    let world = World::new();
    let bob = world.user("bob");
    let query = json!({ "_id": bob.id() });
    let mut document = world.root().query("users", query)[0].clone();
    document["dblocked"] = json!(true);
    world.root().ok(
        "updateone",
        json!({ "collectionname": "users", "item": document }),
    );
    let bob = world.by_id(bob.id());
    let message = json!({ "collectionname": "c", "item": {} });
    let text = "Access denied (db locked) could be due to hitting quota limit for bob";
    assert_eq!(bob.refused("insertone", message), text);
}
