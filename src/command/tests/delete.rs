use serde_json::{Value, json};

use crate::auth::wellknown;
use crate::command::testing::World;

/// JSON of a message leaves a 0 out.
fn rows(reply: &Value) -> i64 {
    reply["affectedrows"].as_i64().unwrap_or(0)
}

fn one(collection: &str, id: &Value) -> Value {
    json!({ "collectionname": collection, "id": id })
}

#[test]
fn one_is_always_the_answer() {
    let world = World::new();
    let bob = world.user("bob");
    let stored = bob.insert("c", json!({}));
    assert_eq!(
        bob.ok("deleteone", one("c", &stored["_id"]))["affectedrows"],
        1
    );
    assert!(bob.query("c", json!({})).is_empty());
    assert_eq!(
        bob.ok("deleteone", one("c", &stored["_id"]))["affectedrows"],
        1
    );
    assert_eq!(
        bob.refused("deleteone", json!({ "collectionname": "c" })),
        "id cannot be null"
    );
    let text = "item not found, or Access Denied";
    assert_eq!(bob.refused("deleteone", one("mq", &json!("nope"))), text);
}

#[test]
fn deleting_needs_the_right() {
    let world = World::new();
    let (bob, ann) = (world.user("bob"), world.user("ann"));
    let acl = json!([{ "_id": ann.id(), "rights": 7 }]);
    let stored = bob.insert("c", json!({ "_acl": acl }));
    let text = "[ANN] Access denied, missing delete permission";
    assert_eq!(ann.refused("deleteone", one("c", &stored["_id"])), text);
    let many = json!({ "collectionname": "c", "query": {} });
    assert_eq!(rows(&ann.ok("deletemany", many)), 0);
    assert_eq!(bob.query("c", json!({})).len(), 1);
}

#[test]
fn nobody_deletes_itself_or_what_the_server_needs() {
    let world = World::new();
    let bob = world.user("bob");
    assert!(
        bob.refused("deleteone", one("users", &json!(bob.id())))
            .contains("missing delete permission")
    );
    for id in [wellknown::ROOT, wellknown::ADMINS, wellknown::GUEST] {
        let text = world.root().refused("deleteone", one("users", &json!(id)));
        assert_eq!(text, "[root] Access denied, missing delete permission");
    }
    let all = json!({ "collectionname": "users", "query": {} });
    assert_eq!(
        world.root().ok("deletemany", all)["affectedrows"],
        1,
        "bob alone goes"
    );
    assert_eq!(
        world
            .root()
            .query("users", json!({ "_type": "user" }))
            .len(),
        2
    );
}

#[test]
fn many_go_by_query_or_by_ids() {
    let world = World::new();
    let bob = world.user("bob");
    let items: Vec<Value> = (0..2_500)
        .map(|n| json!({ "_id": format!("id{n}"), "n": n }))
        .collect();
    bob.ok(
        "insertmany",
        json!({ "collectionname": "c", "items": items, "skipresults": true }),
    );
    let many = |mut message: Value| {
        message["collectionname"] = json!("c");
        rows(&bob.ok("deletemany", message))
    };
    assert_eq!(
        many(json!({ "ids": ["id0", "id1", "id1", "", " ", "nope"] })),
        2
    );
    assert_eq!(
        many(json!({ "query": { "n": 2 }, "ids": ["id3"] })),
        1,
        "query wins"
    );
    assert_eq!(many(json!({})), 0);
    assert_eq!(many(json!({ "query": { "n": { "$lt": 2_400 } } })), 2_397);
    assert_eq!(bob.query("c", json!({})).len(), 100);
}

#[test]
fn some_collections_have_their_own_way() {
    let world = World::new();
    let root = world.root();
    let queue = root.insert("mq", json!({ "_type": "workitemqueue", "name": "q" }));
    let text = "Access Denied, you must call DeleteWorkItemQueue to delete";
    assert_eq!(root.refused("deleteone", one("mq", &queue["_id"])), text);
    let agents = json!({ "collectionname": "agents", "query": {} });
    let text = "Access denied, use agents page or api to delete agents";
    assert_eq!(root.refused("deletemany", agents), text);
    let audit = world.user("bob").insert("audit", json!({}));
    let bob = world.by_id(audit["_createdbyid"].as_str().unwrap());
    assert_eq!(
        bob.refused("deleteone", one("audit", &audit["_id"])),
        "Access denied"
    );
}
