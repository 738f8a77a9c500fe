use std::time::Duration;

use serde_json::{Value, json};

use crate::auth::wellknown;
use crate::command::testing::{ROOT_PASSWORD, World};

#[test]
fn a_password_signs_the_connection_in() {
    let world = World::new();
    world.user("bob");
    let client = world.connect();
    let message = json!({ "username": "BOB", "password": "password", "ping": true, "agent": "webapp", "version": "1.2" });
    let reply = client.ok("signin", message);
    assert_eq!(reply["user"]["username"], "bob");
    assert_eq!(
        reply["user"]["roles"],
        json!([
            { "_id": "5b6ab63c8d4a64b7c47f4a8f", "name": "filestore users" },
            { "_id": wellknown::USERS, "name": "users" },
        ])
    );
    let config = &reply["config"];
    assert!(
        config["openflow_uniqueid"]
            .as_str()
            .is_some_and(|id| !id.is_empty())
    );
    assert_eq!(config["enable_analytics"], false);
    let login = client.session.login().expect("signed in");
    assert_eq!(&*login.token, reply["jwt"].as_str().unwrap());
    assert_eq!(login.identity.username, "bob");
    assert!(client.session.pings());
    assert_eq!(
        (client.session.agent(), client.session.version()),
        ("browser".into(), "1.2".into())
    );
    let again = client.ok(
        "signin",
        json!({ "username": "root", "password": ROOT_PASSWORD }),
    );
    assert_eq!(again["user"]["_id"], wellknown::ROOT);
    assert_eq!(
        client.session.login().expect("signed in").identity.id,
        wellknown::ROOT
    );
    assert!(!client.session.pings(), "absent is off");
}

#[test]
fn refusals_are_in_the_words_of_the_contract_and_tell_nothing() {
    let world = World::new();
    let bob = world.user("bob");
    let client = world.connect();
    for (message, text) in [
        (json!({}), "Username cannot be null"),
        (json!({ "password": "x" }), "Username cannot be null"),
        (json!({ "username": "bob" }), "Password cannot be null"),
        (
            json!({ "username": "bob", "password": "badpassword" }),
            "bob failed logging in using local",
        ),
        (
            json!({ "username": "testuser", "password": "badpassword" }),
            "testuser failed logging in using local",
        ),
        (
            json!({ "username": "guest", "password": "x" }),
            "guest failed logging in using local",
        ),
        (
            json!({ "jwt": "x.y.z", "agent": "node", "version": "3" }),
            "Discard signin due to invalid or expired jwt for client at 10.0.0.1 node 3",
        ),
        (
            json!({ "validateonly": true }),
            "Not signed in, and missing jwt",
        ),
    ] {
        assert_eq!(client.refused("signin", message), text);
    }
    let unknown = world
        .services
        .authority
        .issue("nobody", Duration::from_secs(60))
        .unwrap();
    let before = world.services.seam.clock().unix_ms();
    let text = "Failed resolving token, could not find user by nobody";
    assert_eq!(
        client.refused("signin", json!({ "jwt": unknown.token })),
        text
    );
    assert!(
        world.services.seam.clock().unix_ms() >= before + 1000,
        "only after a second"
    );
    let item = json!({ "_id": bob.id(), "_type": "user", "name": "B", "username": "bob", "disabled": true });
    world.root().ok(
        "updateone",
        json!({ "collectionname": "users", "item": item }),
    );
    let message = json!({ "username": "bob", "password": "password" });
    assert_eq!(
        client.refused("signin", message),
        "Disabled user bob failed logging in using local"
    );
    assert!(client.session.login().is_none());
}

#[test]
fn tokens_sign_in_and_validateonly_changes_nothing() {
    let world = World::new();
    world.user("bob");
    let client = world.connect();
    let message = json!({ "username": "bob", "password": "password", "validateonly": true, "longtoken": true });
    let jwt = client.ok("signin", message)["jwt"].clone();
    assert!(client.session.login().is_none());
    let day = 86_400_000;
    let reply = client.ok(
        "signin",
        json!({ "jwt": format!("Bearer {}", jwt.as_str().unwrap()) }),
    );
    assert_eq!(reply["user"]["username"], "bob");
    let expires = client.session.login().expect("signed in").expires_unix_ms;
    let now = world.services.seam.clock().unix_ms();
    assert!(
        expires - now <= 300_000 && expires - now > 298_000,
        "five minutes"
    );
    let validated = client.ok("signin", json!({ "validateonly": true, "longtoken": true }));
    assert_eq!(validated["user"]["username"], "bob");
    world.seam.time.advance(Duration::from_millis(364 * day));
    let reply = client.ok("signin", json!({ "jwt": jwt }));
    assert_eq!(reply["user"]["username"], "bob", "365 days");
    world.seam.time.advance(Duration::from_millis(2 * day));
    assert!(
        client
            .refused("signin", json!({ "jwt": jwt }))
            .starts_with("Discard signin")
    );
}

#[test]
fn guests_come_in_where_they_are_wanted() {
    let world = World::with(&[("enable_guest", "true")]);
    let client = world.connect();
    let reply = client.ok(
        "signin",
        json!({ "username": "Guest", "password": "anything" }),
    );
    assert_eq!(reply["user"]["_id"], wellknown::GUEST);
    assert!(reply["user"]["roles"].as_array().is_none_or(Vec::is_empty));
    let by_token = client.ok("signin", json!({ "jwt": reply["jwt"] }));
    assert_eq!(by_token["user"]["username"], "guest");
    let closed = World::new();
    let token = closed
        .services
        .authority
        .issue(wellknown::GUEST, Duration::from_secs(60))
        .unwrap();
    let message = json!({ "jwt": token.token });
    assert_eq!(
        closed.connect().refused("signin", message),
        "Guest user is not enabled"
    );
}

#[test]
fn every_attempt_is_in_audit() {
    let world = World::new();
    world.user("bob");
    let client = world.connect();
    client.ok(
        "signin",
        json!({ "username": "bob", "password": "password", "agent": "node" }),
    );
    client.refused("signin", json!({ "username": "bob", "password": "wrong" }));
    let found: Vec<Value> = world.root().query("audit", json!({ "username": "bob" }));
    let outcomes: Vec<&Value> = found.iter().map(|record| &record["success"]).collect();
    assert_eq!(outcomes, [&json!(true), &json!(false)]);
    assert_eq!(
        (&found[0]["clientagent"], &found[0]["ip"]),
        (&json!("node"), &json!("10.0.0.1"))
    );
}

#[test]
fn getelement_says_it_back() {
    let world = World::new();
    let reply = world.connect().ok("getelement", json!({ "xpath": "//a" }));
    assert_eq!(reply["xpath"], "Did you say //a ?");
}

#[test]
fn a_mail_address_is_as_good_as_a_user_name() {
    let world = World::new();
    let item = json!({ "_type": "user", "name": "Ann", "username": "ann", "email": "Ann@Example.com", "newpassword": "pw" });
    world.root().insert("users", item);
    let client = world.connect();
    let reply = client.ok(
        "signin",
        json!({ "username": "ann@example.COM", "password": "pw" }),
    );
    assert_eq!(reply["user"]["email"], "Ann@Example.com");
}
