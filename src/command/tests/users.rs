use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::auth::wellknown;
use crate::command::testing::World;
use crate::command::{Run, find};

fn user(item: Value) -> Value {
    let mut item = item;
    item["_type"] = json!("user");
    json!({ "collectionname": "users", "item": item })
}

#[test]
fn users_need_names_of_their_own() {
    let world = World::new();
    let root = world.root();
    for (item, text) in [
        (json!({ "name": "A" }), "Username is mandatory for users"),
        (json!({ "username": "a" }), "Name is mandatory"),
    ] {
        assert_eq!(root.refused("insertone", user(item)), text);
    }
    let stored = root.ok(
        "insertone",
        user(json!({ "name": "A", "username": "Al.Ice" })),
    )["result"]
        .clone();
    assert_eq!(stored["username"], "al.ice");
    assert_eq!(stored["validated"], false);
    let text = "Access denied, user 'al.ice' already exists";
    assert_eq!(
        root.refused(
            "insertone",
            user(json!({ "name": "B", "username": "AL.ICE" }))
        ),
        text
    );
    let role = json!({ "collectionname": "users", "item": { "_type": "role", "name": "r" } });
    root.ok("insertone", role.clone());
    assert_eq!(
        root.refused("insertone", role),
        "Access denied, role 'r' already exists"
    );
    let items = json!([{ "_type": "user", "name": "X", "username": "x" }, { "_type": "user", "name": "X", "username": "X" }]);
    let message = json!({ "collectionname": "users", "items": items });
    assert_eq!(
        root.refused("insertmany", message),
        "Access denied, user 'x' already exists"
    );
}

#[test]
fn reserved_names_belong_to_well_known_ids() {
    let world = World::new();
    let root = world.root();
    for name in ["admin", "Root", "filestore_users"] {
        let item = json!({ "name": name, "username": format!("u{name}") });
        let text = format!("Access denied, no authorization to InsertOne user {name} to database");
        assert_eq!(root.refused("insertone", user(item)), text);
    }
    let robots = json!({ "_id": "5ac0850ca538fee1ebdb996c", "_type": "role", "name": "robots" });
    let message = json!({ "collectionname": "users", "item": robots });
    assert!(
        world
            .user("bob")
            .refused("insertone", message.clone())
            .contains("InsertOne role robots")
    );
    root.ok("insertone", message);
}

#[test]
fn a_password_becomes_a_hash_that_replacement_keeps() {
    let world = World::new();
    let bob = world.user("bob");
    let root = world.root();
    let stored = root.query("users", json!({ "_id": bob.id() }))[0].clone();
    assert!(stored.get("newpassword").is_none());
    let hash = stored["passwordhash"].as_str().unwrap();
    assert!(bcrypt::verify("password", hash).unwrap());
    let renamed = user(
        json!({ "_id": bob.id(), "name": "Robert", "username": "bob", "passwordhash": "mine" }),
    );
    let reply = bob.ok("updateone", renamed)["result"].clone();
    assert!(reply.get("passwordhash").is_none());
    let after = root.query("users", json!({ "_id": bob.id() }))[0].clone();
    assert_eq!(
        (&after["name"], &after["passwordhash"]),
        (&json!("Robert"), &json!(hash))
    );
    bob.ok(
        "updateone",
        user(
            json!({ "_id": bob.id(), "name": "Robert", "username": "bob", "newpassword": "other" }),
        ),
    );
    let after = root.query("users", json!({ "_id": bob.id() }))[0].clone();
    assert!(bcrypt::verify("other", after["passwordhash"].as_str().unwrap()).unwrap());
}

#[test]
fn some_fields_are_for_admins() {
    let world = World::new();
    let bob = world.user("bob");
    let sent = json!({ "_id": bob.id(), "name": "Bob", "username": "chief", "dbusage": 5, "_type": "role" });
    let message = json!({ "collectionname": "users", "item": sent });
    let updated = bob.ok("updateone", message.clone())["result"].clone();
    assert_eq!(
        (&updated["username"], &updated["_type"]),
        (&json!("bob"), &json!("user"))
    );
    assert!(updated.get("dbusage").is_none());
    assert_eq!(
        world.root().ok("updateone", message)["result"]["username"],
        "chief"
    );
    let disabled =
        user(json!({ "_id": bob.id(), "name": "Bob", "username": "bob", "disabled": true }));
    assert_eq!(
        bob.refused("updateone", disabled),
        "Cannot disable yourself"
    );
}

#[test]
fn renaming_to_a_taken_name_is_refused() {
    let world = World::new();
    let bob = world.user("bob");
    world.user("ann");
    let renamed = user(json!({ "_id": bob.id(), "name": "Bob", "username": "ann" }));
    assert_eq!(
        world.root().refused("updateone", renamed),
        "Access denied, user 'ann' already exists"
    );
}

#[test]
fn one_of_many_at_once_gets_the_name() {
    let world = World::new();
    let root = world.root();
    let Run::Later(run) = find("insertone").unwrap().run else {
        panic!()
    };
    let calls = (0..8).map(|_| run(root.request(user(json!({ "name": "X", "username": "x" })))));
    let replies = world.seam.block_on(join_all(calls));
    assert_eq!(replies.iter().filter(|reply| reply.is_ok()).count(), 1);
    assert_eq!(root.query("users", json!({ "username": "x" })).len(), 1);
}

#[test]
fn a_user_holds_all_but_delete_of_itself_and_a_role_reads_itself() {
    let world = World::new();
    let bob = world.user("bob");
    let entry_of = |id: &str| {
        let document = world.root().query("users", json!({ "_id": id }))[0].clone();
        let acl = document["_acl"].as_array().unwrap().clone();
        acl.iter().find(|ace| ace["_id"] == id).unwrap()["rights"].clone()
    };
    assert_eq!(entry_of(bob.id()), 65_535 & !8);
    assert_eq!(entry_of(&world.role("r", bob.id())), 2);
    assert_eq!(entry_of(wellknown::USERS), 2);
}

#[test]
fn a_guest_makes_no_users() {
    let world = World::with(&[("enable_guest", "true")]);
    let guest = world.by_id(wellknown::GUEST);
    let message = user(json!({ "name": "Mine", "username": "mine" }));
    let text = "Access denied, no authorization to InsertOne user Mine to database";
    assert_eq!(guest.refused("insertone", message), text);
}
