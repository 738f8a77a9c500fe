use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::command::testing::World;
use crate::command::{Run, find};

fn names(results: &Value) -> Vec<&str> {
    results
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|result| result["name"].as_str())
        .collect()
}

#[test]
fn the_second_time_updates() {
    let world = World::new();
    let bob = world.user("bob");
    let upsert = |item: Value| {
        let message = json!({ "collectionname": "c", "uniqeness": "name", "item": item });
        bob.ok("insertorupdateone", message)["result"].clone()
    };
    let first = upsert(json!({ "_id": "discarded", "name": "a", "age": "1", "_kept": true }));
    assert_ne!(first["_id"], "discarded");
    let second = upsert(json!({ "name": "a", "age": "2" }));
    assert_eq!(second["_id"], first["_id"]);
    assert_eq!(
        (&second["age"], &second["_version"]),
        (&json!("2"), &json!(1))
    );
    assert_eq!(second["_kept"], true);
    assert_eq!(bob.query("c", json!({})).len(), 1);
}

#[test]
fn without_a_key_it_inserts_and_by_id_it_updates() {
    let world = World::new();
    let bob = world.user("bob");
    let upsert = |item: Value| {
        bob.ok(
            "insertorupdateone",
            json!({ "collectionname": "c", "item": item }),
        )["result"]
            .clone()
    };
    let first = upsert(json!({ "name": "a" }));
    assert_ne!(upsert(json!({ "name": "a" }))["_id"], first["_id"]);
    assert_eq!(
        upsert(json!({ "_id": first["_id"], "name": "b" }))["_version"],
        1
    );
    assert_eq!(bob.query("c", json!({})).len(), 2);
    let message = json!({ "collectionname": "openrpa_instances", "item": { "_id": "w1", "_type": "workflowinstance" } });
    assert_eq!(bob.ok("insertorupdateone", message)["result"]["_id"], "w1");
}

#[test]
fn more_than_one_match_is_an_error() {
    let world = World::new();
    let bob = world.user("bob");
    bob.ok(
        "insertmany",
        json!({ "collectionname": "c", "items": [{ "name": "a" }, { "name": "a" }] }),
    );
    let message = json!({ "collectionname": "c", "uniqeness": "name", "item": { "name": "a" } });
    let text = r#"{"name":"a"} is not uniqe, more than 1 item in collection matches this"#;
    assert_eq!(bob.refused("insertorupdateone", message), text);
    let message = json!({ "collectionname": "c", "uniqeness": "ref", "item": { "name": "a" } });
    assert!(bob.refused("insertorupdateone", message).contains("ref"));
}

#[test]
fn a_document_of_another_user_is_not_matched() {
    let world = World::new();
    let (bob, ann) = (world.user("bob"), world.user("ann"));
    let message = json!({ "collectionname": "c", "uniqeness": "name", "item": { "name": "a" } });
    let first = bob.ok("insertorupdateone", message.clone())["result"]["_id"].clone();
    assert_ne!(ann.ok("insertorupdateone", message)["result"]["_id"], first);
}

#[test]
fn many_list_updates_before_inserts() {
    let world = World::new();
    let bob = world.user("bob");
    let many = |items: Value, skip: bool| {
        let message = json!({ "collectionname": "c", "uniqeness": "name", "items": items, "skipresults": skip });
        bob.ok("insertorupdatemany", message)["results"].clone()
    };
    assert_eq!(
        names(&many(json!([{ "name": "b" }, { "name": "a" }]), false)),
        ["b", "a"]
    );
    let mixed = json!([{ "name": "new" }, { "name": "a", "n": 1 }, { "name": "b", "n": 1 }]);
    assert_eq!(names(&many(mixed, false)), ["a", "b", "new"]);
    let twice = many(
        json!([{ "name": "twice", "n": 1 }, { "name": "twice", "n": 2 }]),
        false,
    );
    assert_eq!(
        twice[0]["_id"], twice[1]["_id"],
        "the second finds the first"
    );
    assert_eq!(many(json!([{ "name": "quiet" }]), true), json!([]));
    assert_eq!(bob.query("c", json!({})).len(), 5);
}

#[test]
fn at_once_they_make_one_document() {
    let world = World::new();
    let bob = world.user("bob");
    let Run::Later(run) = find("insertorupdateone").unwrap().run else {
        panic!()
    };
    let calls = (0..20).map(|n| {
        let item = json!({ "name": "one", "n": n });
        run(bob.request(json!({ "collectionname": "c", "uniqeness": "name", "item": item })))
    });
    for reply in world.seam.block_on(join_all(calls)) {
        reply.expect("every one is carried out");
    }
    let found = bob.query("c", json!({}));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["_version"], 19);
}

#[test]
fn who_would_lock_itself_out_gets_an_entry() {
    let world = World::new();
    let (bob, ann) = (world.user("bob"), world.user("ann"));
    let acl = json!([{ "_id": ann.id(), "rights": 65_535 }]);
    let item = json!({ "name": "a", "_acl": acl });
    let message = json!({ "collectionname": "c", "uniqeness": "name", "item": item });
    bob.ok("insertorupdateone", message.clone());
    let updated = bob.ok("insertorupdateone", message)["result"].clone();
    let ids: Vec<&Value> = updated["_acl"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ace| &ace["_id"])
        .collect();
    assert!(ids.contains(&&json!(bob.id())), "{ids:?}");
}
