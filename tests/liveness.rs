//! Timers of a session (contract 2.8), on a server whose timers are short.
//!
//! Runs against the server that `OPENCORE_BIN` names, or else the one cargo built.

use std::time::{Duration, Instant};

use live::doors::STREAMS;
use live::server::{Options, ROOT_PASSWORD};
use live::{Client, Reply, connect, message};
use serde_json::json;

mod live;

const PATIENCE: Duration = Duration::from_secs(40);

/// The next unsolicited message by this name.
fn next(client: &mut Client, command: &str) -> Reply {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let reply = client.receive().expect("the session lives");
        if reply.command == command {
            return reply;
        }
    }
    panic!("no {command} came");
}

#[test]
fn a_token_is_renewed_before_it_ends_and_the_session_goes_on() {
    let server = Options::default()
        .set("shorttoken_expires_in", "10s")
        .start();
    for door in STREAMS {
        let mut client = connect(&server, door);
        let signed = client.sign_in("root", ROOT_PASSWORD);
        let first = signed.json()["jwt"].as_str().expect("a token").to_owned();
        let started = Instant::now();
        let renewed = next(&mut client, "refreshtoken").json();
        assert_eq!(renewed["username"], "root", "{door:?}");
        assert_eq!(renewed["user"]["username"], "root", "{door:?}");
        let token = renewed["jwt"].as_str().expect("a token");
        assert_ne!(token, first, "{door:?}");
        // Past the end of the first token the connection is still signed in.
        std::thread::sleep(Duration::from_secs(11).saturating_sub(started.elapsed()));
        let count = client.call("count", json!({"collectionname": "users", "query": "{}"}));
        assert_eq!(count.command, "countreply", "{door:?}: {}", count.text());
        let old = message::request(
            "count",
            2,
            "old",
            &json!({"collectionname": "users", "query": "{}"}),
        );
        client.jwt = first;
        let refused = client.exchange(old);
        assert!(
            refused
                .text()
                .contains("due to missing jwt, and respond with error"),
            "{door:?}: {}",
            refused.text()
        );
    }
}

#[test]
fn clients_are_pinged_and_those_that_stay_silent_are_closed() {
    let server = Options::default()
        .set("ping_clients_interval", "300")
        .set("client_heartbeat_timeout", "3")
        .start();
    let mut silent: Vec<_> = STREAMS.iter().map(|door| connect(&server, *door)).collect();
    for client in &mut silent {
        client.sign_in_root();
        next(client, "ping");
    }
    // One that answers stays; so does one that wants no pings and says nothing.
    let mut answering = connect(&server, live::Door::Tcp);
    answering.sign_in_root();
    let mut quiet = connect(&server, live::Door::Tcp);
    let token = answering.token.clone();
    assert!(!quiet.call("signin", json!({"jwt": token})).is_error());
    let started = Instant::now();
    let mut seq = 1;
    while started.elapsed() < Duration::from_secs(6) {
        next(&mut answering, "ping");
        let mut pong = message::request("pong", seq, "pong", &json!({}));
        pong.rid = "ping".into();
        seq += 1;
        answering.send(&pong).expect("open");
    }
    server.wait_closed("heartbeat_timeout", STREAMS.len() as u64);
    assert_eq!(quiet.call("getelement", json!({})).command, "getelement");
    assert_eq!(server.closed("heartbeat_timeout"), STREAMS.len() as u64);
}
