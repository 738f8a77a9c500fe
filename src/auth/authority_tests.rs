use std::rc::Rc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;
use crate::command::testing::World;

const MINUTE: Duration = Duration::from_secs(60);

fn identify(world: &World, token: &str) -> Result<Rc<Identity>> {
    let authority = &world.services.authority;
    let command = authority.identify_for(token, "query", "10.0.0.1", "node", "1.0");
    world.seam.block_on(command)
}

fn refusal(world: &World, token: &str) -> String {
    identify(world, token)
        .expect_err("refused")
        .context
        .into_owned()
}

#[test]
fn a_token_is_verified_once_and_then_known_until_its_tick() {
    let world = World::new();
    let bob = world.user("bob");
    let authority = &world.services.authority;
    let issued = authority.issue(bob.id(), MINUTE).unwrap();
    assert!(authority.identify_cached(&issued.token).is_none());
    assert_eq!(identify(&world, &issued.token).unwrap().username, "bob");
    assert_eq!(
        authority.identify_cached(&issued.token).unwrap().username,
        "bob"
    );
    world.seam.time.set_unix_ms(issued.expires_unix_ms - 1);
    assert!(authority.identify_cached(&issued.token).is_some());
    assert!(identify(&world, &issued.token).is_ok());
    world.seam.time.set_unix_ms(issued.expires_unix_ms);
    assert!(authority.identify_cached(&issued.token).is_none());
    assert_eq!(
        refusal(&world, &issued.token),
        "Discard query due to missing jwt, and respond with error, for client at 10.0.0.1 node 1.0"
    );
}

#[test]
fn a_change_of_users_is_seen_by_the_next_message() {
    let world = World::new();
    let bob = world.user("bob");
    let authority = &world.services.authority;
    let token = authority.issue(bob.id(), MINUTE).unwrap().token;
    identify(&world, &token).unwrap();
    let role = world.role("robotniks", bob.id());
    assert!(
        authority.identify_cached(&token).is_none(),
        "who holds what may have changed"
    );
    assert!(identify(&world, &token).unwrap().is_principal(&role));
    world.root().ok(
        "deleteone",
        json!({ "collectionname": "users", "id": role }),
    );
    assert!(!identify(&world, &token).unwrap().is_principal(&role));
    let disabled = json!({ "_id": bob.id(), "name": "B", "username": "bob", "disabled": true });
    world.root().ok(
        "updateone",
        json!({ "collectionname": "users", "item": disabled }),
    );
    assert!(authority.identify_cached(&token).is_none());
    assert_eq!(
        refusal(&world, &token),
        "Disabled user bob failed logging in using jwtsignin"
    );
    world.root().ok(
        "deleteone",
        json!({ "collectionname": "users", "id": bob.id() }),
    );
    assert_eq!(
        refusal(&world, &token),
        format!("User {} not found", bob.id())
    );
}

#[test]
fn basic_credentials_are_a_token() {
    let world = World::new();
    world.user("bob");
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    assert_eq!(
        identify(&world, &basic("bob:password")).unwrap().username,
        "bob"
    );
    let jobs = world.seam.blocking_jobs();
    identify(&world, &basic("bob:password")).unwrap();
    assert_eq!(world.seam.blocking_jobs(), jobs, "known: not hashed again");
    assert_eq!(
        refusal(&world, &basic("bob:x")),
        "bob failed logging in using jwtsignin"
    );
    assert!(refusal(&world, "Basic %").starts_with("Discard query"));
}

#[test]
fn without_a_token_there_is_the_guest_or_nobody() {
    let closed = World::new();
    assert_eq!(refusal(&closed, ""), "Not signed in, and missing jwt");
    let token = closed
        .services
        .authority
        .issue(wellknown::GUEST, MINUTE)
        .unwrap()
        .token;
    assert_eq!(refusal(&closed, &token), "Guest user is not enabled");
    let open = World::with(&[("enable_guest", "true")]);
    let guest = identify(&open, "").unwrap();
    assert!(guest.is_guest && guest.roles.is_empty());
    let token = open
        .services
        .authority
        .issue(wellknown::GUEST, MINUTE)
        .unwrap()
        .token;
    assert!(identify(&open, &token).unwrap().is_guest);
}

#[test]
fn many_at_once_read_the_users_once_and_agree() {
    let world = World::new();
    let ids: Vec<String> = (0..20)
        .map(|n| world.user(&format!("u{n}")).id().to_owned())
        .collect();
    world.role("late", &ids[0]);
    let authority = &world.services.authority;
    let tokens: Vec<String> = ids
        .iter()
        .map(|id| authority.issue(id, MINUTE).unwrap().token)
        .collect();
    let all = futures_util::future::join_all(tokens.iter().map(|token| authority.identify(token)));
    for (identity, id) in world.seam.block_on(all).into_iter().zip(&ids) {
        assert_eq!(&identity.unwrap().id, id);
    }
}

#[test]
fn an_unknown_user_costs_a_hash_like_a_known_one() {
    let world = World::new();
    world.user("bob");
    let client = world.connect();
    let hashed = |username: &str| {
        let before = world.seam.blocking_jobs();
        client.refused(
            "signin",
            json!({ "username": username, "password": "wrong" }),
        );
        world.seam.blocking_jobs() - before
    };
    assert_eq!((hashed("bob"), hashed("nobody")), (1, 1));
}
