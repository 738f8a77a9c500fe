use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::command::find;
use crate::command::testing::World;

#[test]
fn a_replacement_keeps_what_starts_with_an_underscore() {
    let world = World::new();
    let bob = world.user("bob");
    let stored = bob.insert(
        "c",
        json!({ "name": "a", "gone": 1, "_kept": 2, "_removed": 3, "_createdfor": 4, "_type": "t" }),
    );
    world.seam.time.advance(Duration::from_secs(5));
    let item = json!({ "_id": stored["_id"], "name": "b", "_removed": null, "_createdby": "me" });
    let updated =
        bob.ok("updateone", json!({ "collectionname": "c", "item": item }))["result"].clone();
    assert_eq!(updated["name"], "b");
    assert_eq!(
        (&updated["_kept"], &updated["_createdfor"]),
        (&json!(2), &json!(4))
    );
    assert_eq!(updated["_type"], "t");
    assert_eq!(updated["_version"], 1);
    for gone in ["gone", "_removed"] {
        assert!(updated.get(gone).is_none(), "{gone}");
    }
    for same in ["_id", "_created", "_createdby", "_acl"] {
        assert_eq!(updated[same], stored[same], "{same}");
    }
    assert_ne!(updated["_modified"], stored["_modified"]);
    assert_eq!(bob.query("c", json!({})), [updated]);
}

#[test]
fn nothing_changed_is_nothing_written() {
    let world = World::new();
    let bob = world.user("bob");
    let stored = bob.insert("c", json!({ "name": "a", "list": [1, { "b": 2 }] }));
    world.seam.time.advance(Duration::from_secs(5));
    let message = json!({ "collectionname": "c", "item": stored });
    assert_eq!(bob.ok("updateone", message)["result"], stored);
    let reordered = json!({ "list": [1, { "b": 2 }], "name": "a", "_id": stored["_id"], "_updatereason": "none" });
    let message = json!({ "collectionname": "c", "item": reordered });
    assert_eq!(bob.ok("updateone", message)["result"], stored);
}

#[test]
fn refusals_are_in_the_words_of_the_contract() {
    let world = World::new();
    let (bob, ann) = (world.user("bob"), world.user("ann"));
    let readable = json!([{ "_id": ann.id(), "rights": 2 }]);
    let stored = bob.insert("c", json!({ "name": "n", "_type": "t", "_acl": readable }));
    let update = |item: serde_json::Value| json!({ "collectionname": "c", "item": item });
    assert_eq!(
        ann.refused("updateone", json!({ "collectionname": "c" })),
        "Cannot update null item"
    );
    assert_eq!(
        ann.refused("updateone", update(json!({}))),
        "Cannot update item without _id"
    );
    let missing = update(json!({ "_id": "nope" }));
    assert_eq!(
        ann.refused("updateone", missing),
        "item nope not found in c or Access Denied"
    );
    let denied = update(json!({ "_id": stored["_id"], "name": "mine" }));
    let text = "Access denied, no authorization to UpdateOne t n to database";
    assert_eq!(ann.refused("updateone", denied), text);
    let locked_out =
        update(json!({ "_id": stored["_id"], "_acl": [{ "_id": bob.id(), "rights": 2 }] }));
    let text = "Access denied, no authorization to UpdateOne with current ACL";
    assert_eq!(bob.refused("updateone", locked_out), text);
    let audit = world.root().insert("audit", json!({}));
    let message = json!({ "collectionname": "audit", "item": { "_id": audit["_id"], "a": 1 } });
    assert_eq!(world.root().refused("updateone", message), "Access denied");
    let config = bob.insert("config", json!({ "_type": "config" }));
    let message = json!({ "collectionname": "config", "item": { "_id": config["_id"], "a": 1 } });
    let text = "Access denied, no authorization to update config";
    assert_eq!(bob.refused("updateone", message), text);
    assert_eq!(bob.query("c", json!({})), [stored], "nothing was written");
}

#[test]
fn updates_at_once_all_count() {
    let world = World::new();
    let bob = world.user("bob");
    let stored = bob.insert("c", json!({ "name": "a" }));
    let crate::command::Run::Later(run) = find("updateone").unwrap().run else {
        panic!()
    };
    let calls = (0..12).map(|n| {
        let item = json!({ "_id": stored["_id"], "name": format!("{n}") });
        run(bob.request(json!({ "collectionname": "c", "item": item })))
    });
    for reply in world.seam.block_on(join_all(calls)) {
        reply.expect("every update is carried out");
    }
    assert_eq!(bob.query("c", json!({}))[0]["_version"], 12);
}
