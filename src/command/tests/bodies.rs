use bytes::Bytes;
use prost::Message;
use serde_json::json;

use crate::command::testing::World;
use crate::command::{COMMANDS, Reply, Request, Run, find};
use crate::error::{Code, Result};
use crate::wire::proto::{CountRequest, CountResponse, QueryRequest, QueryResponse};

fn run(world: &World, command: &str, body: impl Into<Bytes>) -> Result<Reply> {
    let root = world.root();
    let request = Request {
        body: body.into(),
        ..root.request(json!({}))
    };
    match find(command).expect("a row").run {
        Run::Now(run) => run(&request.body),
        Run::Later(run) => world.seam.block_on(run(request)),
        Run::Silent | Run::Refused(_) => panic!("{command} has no reply"),
    }
}

#[test]
fn bodies_are_protobuf_or_json() {
    let world = World::new();
    let message = QueryRequest {
        collectionname: "users".into(),
        query: r#"{"username":"root"}"#.into(),
        projection: r#"{"name":1,"_id":0}"#.into(),
        ..QueryRequest::default()
    };
    let reply = run(&world, "query", message.encode_to_vec()).unwrap();
    assert_eq!(reply.message, "QueryResponse");
    let results = QueryResponse::decode(reply.body).unwrap().results;
    assert_eq!(results, r#"[{"name":"root"}]"#);
    let count = CountRequest {
        collectionname: "users".into(),
        query: "{}".into(),
        ..CountRequest::default()
    };
    let reply = run(&world, "count", count.encode_to_vec()).unwrap();
    assert_eq!(CountResponse::decode(reply.body).unwrap().result, 8);
}

#[test]
fn bodies_that_are_neither_are_refused_by_name() {
    let world = World::new();
    for row in COMMANDS
        .iter()
        .filter(|row| matches!(row.run, Run::Now(_) | Run::Later(_)))
    {
        // A string field of 127 bytes, of which none follow; and text that is no JSON.
        for body in [&b"\x0a\x7f"[..], b"{\"a\"", b"{]"] {
            let error = run(&world, row.name, body).err().expect("refused");
            let prefix = format!("Failed decoding openiap.{} : ", row.name);
            assert!(error.context.starts_with(&prefix), "{}", error.context);
            assert_eq!(error.code, Code::Invalid);
        }
    }
}

#[test]
fn an_empty_body_is_an_empty_message() {
    let world = World::new();
    for row in COMMANDS
        .iter()
        .filter(|row| matches!(row.run, Run::Now(_) | Run::Later(_)))
    {
        match run(&world, row.name, Bytes::new()) {
            Ok(_) => assert!(
                ["getelement", "listcollections"].contains(&row.name),
                "{}",
                row.name
            ),
            Err(error) => assert_eq!(error.code, Code::Invalid, "{}: {error}", row.name),
        }
    }
}
