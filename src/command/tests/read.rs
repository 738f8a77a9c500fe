use serde_json::{Value, json};

use crate::auth::wellknown;
use crate::command::testing::World;

fn names(documents: &[Value]) -> Vec<&str> {
    documents
        .iter()
        .filter_map(|document| document["name"].as_str())
        .collect()
}

#[test]
fn a_caller_sees_what_its_rights_say() {
    let world = World::new();
    let (bob, ann) = (world.user("bob"), world.user("ann"));
    bob.insert("c", json!({ "name": "bob's" }));
    ann.insert("c", json!({ "name": "ann's" }));
    assert_eq!(names(&bob.query("c", json!({}))), ["bob's"]);
    assert_eq!(
        names(&world.root().query("c", json!({}))),
        ["bob's", "ann's"]
    );
    let count = json!({ "collectionname": "c", "query": {} });
    assert_eq!(bob.ok("count", count.clone())["result"], 1);
    assert_eq!(world.root().ok("count", count)["result"], 2);
    assert!(bob.query("missing", json!({})).is_empty());
}

#[test]
fn queryas_narrows_and_never_widens() {
    let world = World::new();
    let (bob, ann) = (world.user("bob"), world.user("ann"));
    bob.insert("c", json!({ "name": "bob's" }));
    ann.insert("c", json!({ "name": "ann's" }));
    let seen = |client: &crate::command::testing::Client<'_>, queryas: &str| {
        let message = json!({ "collectionname": "c", "query": {}, "queryas": queryas });
        client.ok("query", message)["results"]
            .as_array()
            .unwrap()
            .len()
    };
    let root = world.root();
    assert_eq!(seen(&root, ann.id()), 1);
    assert_eq!(seen(&bob, ann.id()), 0);
    assert_eq!(
        seen(&root, "000000000000000000000000"),
        0,
        "an unknown id sees nothing"
    );
    assert_eq!(seen(&root, wellknown::ADMINS), 2);
}

#[test]
fn rows_are_ordered_skipped_limited_and_projected() {
    let world = World::new();
    let root = world.root();
    let items: Vec<Value> = (0..600)
        .map(|n| json!({ "n": n, "name": format!("{n:03}") }))
        .collect();
    root.ok(
        "insertmany",
        json!({ "collectionname": "c", "items": items, "skipresults": true }),
    );
    assert_eq!(root.query("c", json!({})).len(), 500, "top 0 is 500");
    let message = json!({
        "collectionname": "c", "query": { "n": { "$gte": 10 } }, "orderby": { "n": -1 },
        "top": 2, "skip": 1, "projection": { "name": 1, "_id": 0 },
    });
    let results = root.ok("query", message)["results"].clone();
    assert_eq!(results, json!([{ "name": "598" }, { "name": "597" }]));
    let message = json!({ "collectionname": "c", "query": {}, "orderby": "name", "top": 1 });
    assert_eq!(root.ok("query", message)["results"][0]["n"], 0);
}

#[test]
fn queries_are_mandatory() {
    let world = World::new();
    let root = world.root();
    for command in ["query", "count"] {
        assert_eq!(
            root.refused(command, json!({ "collectionname": "c" })),
            "Query is mandatory"
        );
        assert_eq!(
            root.refused(command, json!({ "query": {} })),
            "collectionname is mandatory"
        );
    }
    let bad = json!({ "collectionname": "c", "query": { "$where": "1" } });
    assert!(!root.refused("query", bad).is_empty());
}

#[test]
fn password_hashes_are_for_admins() {
    let world = World::new();
    let bob = world.user("bob");
    let own = bob.query("users", json!({ "username": "bob" }));
    assert_eq!(own.len(), 1);
    assert!(own[0].get("passwordhash").is_none());
    let by_admin = world.root().query("users", json!({ "username": "bob" }));
    assert!(
        by_admin[0]["passwordhash"]
            .as_str()
            .unwrap()
            .starts_with("$2")
    );
    let text = "Access denied, passwordhash is for admins only";
    for query in [
        r#"{"passwordhash":{"$regex":"^a"}}"#,
        r#"{"\u0070asswordhash":1}"#,
    ] {
        let message = json!({ "collectionname": "users", "query": query });
        assert_eq!(bob.refused("query", message.clone()), text);
        assert_eq!(bob.refused("count", message.clone()), text);
        assert_eq!(bob.refused("deletemany", message), text);
    }
    for orderby in ["passwordhash", r#"{"\u0070asswordhash":1}"#] {
        let message = json!({ "collectionname": "users", "query": {}, "orderby": orderby });
        assert_eq!(bob.refused("query", message), text);
    }
}

#[test]
fn the_list_shows_a_new_collection_at_once() {
    let world = World::new();
    let bob = world.user("bob");
    let list = |includehist: bool| {
        let message = json!({ "includehist": includehist });
        let results = bob.ok("listcollections", message)["results"].clone();
        names(results.as_array().unwrap()).join(",")
    };
    assert_eq!(list(false), "audit,entities,users");
    bob.insert("Beta", json!({}));
    assert_eq!(list(true), "audit,Beta,entities,users");
}
