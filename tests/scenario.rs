//! The scenario table, played over every door: what a command does is the same by
//! whichever way it came in.
//!
//! Runs against the server that `OPENCORE_BIN` names, or else the one cargo built.

use serde_json::Value;

mod live;
mod scenarios;

use live::{Client, DOORS, Door, Reply, Server, connect, server::Options};
use scenarios::{Expect, SCENARIOS, Scenario, Step};

/// Plays every scenario over every door and prints the matrix.
#[test]
fn every_scenario_over_every_door() {
    let server = Options::default().set("enable_guest", "true").start();
    let mut failures = Vec::new();
    println!(
        "{:<60} {}",
        "scenario",
        DOORS.map(|door| format!("{door:?}")).join(" ")
    );
    for scenario in SCENARIOS.iter() {
        let mut row = Vec::new();
        for door in DOORS {
            let played = play(&server, door, scenario);
            row.push(if played.is_ok() { "ok" } else { "FAILED" });
            failures.extend(
                played
                    .err()
                    .map(|why| format!("{} over {door:?}: {why}", scenario.name)),
            );
        }
        println!("{:<60} {}", scenario.name, row.join(" "));
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    println!("{} scenarios over {} doors", SCENARIOS.len(), DOORS.len());
}

fn play(server: &Server, door: Door, scenario: &Scenario) -> Result<(), String> {
    let mut client = connect(server, door);
    // Each door gets its own collection, so that one's documents are not the other's.
    let collection = format!(
        "s_{}_{door:?}",
        scenario.name.replace(|c: char| !c.is_alphanumeric(), "_")
    );
    if scenario.signed_in {
        let reply = client.sign_in_root();
        if reply.is_error() {
            return Err(format!("root cannot sign in: {}", reply.text()));
        }
    }
    let mut saved = Vec::new();
    for (number, step) in scenario.steps.iter().enumerate() {
        let reply = send(&mut client, step, &collection, &saved);
        check(step, &reply).map_err(|why| {
            format!(
                "step {number} ({}): {why}; got {} {}",
                step.command,
                reply.command,
                reply.text()
            )
        })?;
        saved.push(reply);
    }
    Ok(())
}

/// `$C` is the collection, `$ID0` the `_id` in the result of step 0, `$JWT0` its token.
fn send(client: &mut Client, step: &Step, collection: &str, saved: &[Reply]) -> Reply {
    let mut text = step.message.replace("$C", collection);
    for (number, reply) in saved.iter().enumerate() {
        if text.contains(&format!("$ID{number}")) {
            text = text.replace(&format!("$ID{number}"), &id_of(reply));
        }
        if text.contains(&format!("$JWT{number}")) {
            text = text.replace(
                &format!("$JWT{number}"),
                reply.json()["jwt"].as_str().unwrap_or_default(),
            );
        }
    }
    let message: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    match step.command {
        "signin" if message.get("validateonly").is_none() => {
            let reply = client.call("signin", message);
            if !reply.is_error() && !client.jwt.is_empty() {
                client.jwt = reply.json()["jwt"].as_str().unwrap_or_default().to_owned();
            }
            reply
        }
        command => client.call(command, message),
    }
}

fn id_of(reply: &Reply) -> String {
    let result = reply.json();
    let document: Value =
        serde_json::from_str(result["result"].as_str().unwrap_or("{}")).unwrap_or_default();
    document["_id"].as_str().unwrap_or_default().to_owned()
}

fn check(step: &Step, reply: &Reply) -> Result<(), String> {
    let text = reply.text();
    match step.expect {
        Expect::Error(part) if !reply.is_error() => Err(format!("expected an error with {part:?}")),
        Expect::Error(part) if !text.contains(part) => Err(format!("the error lacks {part:?}")),
        Expect::Error(_) => Ok(()),
        Expect::Reply(..) if reply.is_error() => Err("expected a reply".into()),
        Expect::Reply(command, has, lacks) => {
            if reply.command != command {
                return Err(format!("expected {command}"));
            }
            // Texts of results are JSON inside a JSON string: compared without the escapes.
            let plain = text.replace("\\\"", "\"");
            match (
                has.iter().find(|part| !plain.contains(**part)),
                lacks.iter().find(|part| plain.contains(**part)),
            ) {
                (Some(part), _) => Err(format!("the reply lacks {part}")),
                (_, Some(part)) => Err(format!("the reply has {part}")),
                _ => Ok(()),
            }
        }
    }
}
