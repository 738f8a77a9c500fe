//! Bad input on every door where it can happen: a clear error to whoever can receive
//! it, the connection ends by a named reason where it must, and the server goes on.
//!
//! Runs against the server that `OPENCORE_BIN` names, or else the one cargo built.

use std::io::{Read, Write};
use std::time::Duration;

use live::doors::{self, STREAMS, Stream};
use live::server::Options;
use live::{Client, Door, Reply, Server, connect, grpc, message};
use opencore::limits;
use opencore::wire::proto::Envelope;
use prost::Message;
use serde_json::json;

mod live;

/// Raw bytes of the envelope stream into a door, and what comes back until it closes.
fn raw(server: &Server, door: Door, bytes: &[u8]) -> Vec<Reply> {
    let mut stream: Box<dyn Stream> = match door {
        Door::Tcp => {
            let mut socket = doors::tcp(server);
            socket.write_all(bytes).expect("sent");
            Box::new(doors::Framed(socket))
        }
        Door::Pipe => {
            let mut socket = doors::pipe(server);
            socket.write_all(bytes).expect("sent");
            Box::new(doors::Framed(socket))
        }
        Door::WebSocket => {
            let mut stream = live::websocket::WebSocketStream::connect(server.port);
            let message = tungstenite::Message::Binary(bytes.to_vec().into());
            stream.socket.send(message).expect("sent");
            Box::new(stream)
        }
        Door::Grpc => {
            let mut stream = grpc::GrpcStream::connect(server.port);
            stream.send_bytes(bytes.to_vec().into()).expect("sent");
            Box::new(stream)
        }
        Door::Rest => unreachable!("REST has no stream"),
    };
    let mut replies = Vec::new();
    while let Ok(envelope) = stream.receive() {
        replies.push(Reply::of(envelope));
    }
    replies
}

fn assert_alive(server: &Server) {
    let mut client = connect(server, Door::Tcp);
    assert_eq!(
        client.call("getelement", json!({"xpath": "alive"})).command,
        "getelement"
    );
    assert!(
        !server.log().contains("panicked"),
        "a panic: {}",
        server.log()
    );
}

/// A frame of a door's own framing around any body.
fn frame(door: Door, body: &[u8]) -> Vec<u8> {
    match door {
        Door::Grpc => grpc::message(body).to_vec(),
        _ => [&(body.len() as u32).to_le_bytes()[..], body].concat(),
    }
}

fn last_error(replies: &[Reply]) -> String {
    let last = replies.last().map(|reply| (reply.is_error(), reply.text()));
    match last {
        Some((true, text)) => text,
        other => panic!("expected an error before the end, got {other:?}"),
    }
}

#[test]
fn lengths_that_cannot_be() {
    let server = Server::start();
    let too_long = (limits::FRAME_BYTES_MAX as u32 + 1).to_le_bytes();
    for door in [Door::Tcp, Door::Pipe, Door::WebSocket] {
        let negative = raw(&server, door, &[0xff; 4]);
        assert!(last_error(&negative).contains("2^31"), "{door:?}");
        let above = raw(&server, door, &too_long);
        let text = last_error(&above);
        assert!(
            text.contains(&limits::FRAME_BYTES_MAX.to_string()),
            "{door:?}: {text}"
        );
    }
    let mut announced = vec![0];
    announced.extend((limits::FRAME_BYTES_MAX as u32 + 1).to_be_bytes());
    let text = last_error(&raw(&server, Door::Grpc, &announced));
    assert!(
        text.contains(&limits::FRAME_BYTES_MAX.to_string()),
        "{text}"
    );
    server.wait_closed("frame_too_large", 4);
    server.wait_closed("protocol_violation", 3);
    assert_alive(&server);
}

#[test]
fn a_length_of_zero_is_skipped() {
    let server = Server::start();
    for door in [Door::Tcp, Door::Pipe] {
        let mut bytes = vec![0; 8];
        let request = message::request("getelement", 0, "after", &json!({"xpath": "x"}));
        bytes.extend(message::framed(&request));
        let mut stream: Box<dyn Stream> = match door {
            Door::Tcp => {
                let mut socket = doors::tcp(&server);
                socket.write_all(&bytes).expect("sent");
                Box::new(doors::Framed(socket))
            }
            _ => {
                let mut socket = doors::pipe(&server);
                socket.write_all(&bytes).expect("sent");
                Box::new(doors::Framed(socket))
            }
        };
        let commands: Vec<_> = (0..2)
            .map(|_| stream.receive().expect("a message").command)
            .collect();
        assert_eq!(commands, ["ping", "getelement"]);
    }
}

#[test]
fn bodies_that_are_no_envelope() {
    let server = Server::start();
    for door in STREAMS {
        for body in [
            &b"\xff\xff\xff\xff\xff\xff"[..],
            b"not protobuf at all",
            b"\x0a\x02\xff\xfe",
        ] {
            let replies = raw(&server, door, &frame(door, body));
            assert!(!last_error(&replies).is_empty(), "{door:?} {body:?}");
        }
    }
    let (status, answer) = doors::rest(server.port, "{\"command\": ");
    assert_eq!(status, 200, "the client rejects any other status");
    assert!(doors::read_rest(&answer).is_error());
    assert_alive(&server);
}

#[test]
fn type_urls_do_not_matter_and_data_may_be_absent() {
    let server = Server::start();
    for door in live::DOORS {
        let mut client = connect(&server, door);
        for (number, type_url) in [
            "",
            "openiap.ping",
            "type.googleapis.com/openiap.WrongThing",
            "\u{fffd}",
        ]
        .into_iter()
        .enumerate()
        {
            let mut envelope = message::request(
                "getelement",
                number as i32,
                &format!("u{number}"),
                &json!({"xpath": "x"}),
            );
            envelope.data.as_mut().expect("data").type_url = type_url.into();
            let said = client.exchange(envelope).text();
            assert!(said.contains("Did you say x ?"), "{door:?} {type_url}");
        }
        let envelope = Envelope {
            command: "getelement".into(),
            seq: 4,
            id: "none".into(),
            ..Envelope::default()
        };
        assert_eq!(
            client.exchange(envelope).command,
            "getelement",
            "{door:?}: no data at all"
        );
    }
}

#[test]
fn a_body_that_is_json_is_read_as_json_and_any_other_is_refused() {
    let server = Server::start();
    for door in live::DOORS {
        let mut client = connect(&server, door);
        let mut envelope = message::request("getelement", 0, "json", &json!({}));
        envelope.data.as_mut().expect("data").value = br#"{"xpath":"from json"}"#.to_vec();
        assert!(
            client.exchange(envelope).text().contains("from json"),
            "{door:?}"
        );
        let mut envelope = message::request("getelement", 1, "junk", &json!({}));
        envelope.data.as_mut().expect("data").value = vec![0xff; 9];
        let reply = client.exchange(envelope);
        assert!(
            reply.is_error() && reply.text().contains("Failed decoding openiap."),
            "{door:?}: {}",
            reply.text()
        );
        let mut envelope = message::request("getelement", 2, "utf8", &json!({}));
        envelope.data.as_mut().expect("data").value = vec![0x0a, 2, 0xff, 0xfe];
        assert!(
            client.exchange(envelope).is_error(),
            "{door:?}: invalid UTF-8"
        );
    }
}

#[test]
fn sequence_numbers_repeated_skipped_and_far_ahead() {
    let server = Server::start();
    for door in [Door::Tcp, Door::Pipe, Door::WebSocket] {
        let request = |seq: i32| {
            message::request(
                "getelement",
                seq,
                &format!("q{seq}"),
                &json!({"xpath": "x"}),
            )
        };
        let frames = |numbers: &[i32]| {
            numbers
                .iter()
                .flat_map(|seq| message::framed(&request(*seq)))
                .collect::<Vec<_>>()
        };
        let repeated = raw(&server, door, &frames(&[0, 0]));
        assert!(last_error(&repeated).contains("seq 0"), "{door:?}");
        let ahead: Vec<i32> = (1..=limits::REORDER_MESSAGES_MAX as i32 + 1).collect();
        let far = raw(&server, door, &frames(&ahead));
        assert!(last_error(&far).contains("seq 0 never came"), "{door:?}");
        // A gap that fills: delivered in order.
        let mut client = connect(&server, door);
        for seq in [2, 1, 0] {
            client.send(&request(seq)).expect("sent");
        }
        let order: Vec<_> = (0..4)
            .map(|_| client.receive().expect("a message").rid)
            .collect();
        assert_eq!(order, ["", "q0", "q1", "q2"], "{door:?}");
    }
    // gRPC clients may send anything (contract 1.2).
    let mut client = connect(&server, Door::Grpc);
    for id in ["a", "b"] {
        let reply = client.exchange(message::request(
            "getelement",
            7,
            id,
            &json!({"xpath": "x"}),
        ));
        assert_eq!(reply.command, "getelement");
    }
}

#[test]
fn wrong_first_bytes_and_a_tls_hello_are_closed_with_a_reason() {
    let server = Server::start();
    for (bytes, reason) in [
        (&b"SSH-2.0-x\r\n"[..], "wrong_first_bytes"),
        (&[0x16, 3, 1, 0, 5], "tls_not_configured"),
    ] {
        let mut socket = doors::tcp(&server);
        socket.write_all(bytes).expect("sent");
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).ok();
        server.wait_closed(reason, 1);
    }
    assert_alive(&server);
}

#[test]
fn replies_of_a_client_are_never_answered() {
    let server = Server::start();
    for door in STREAMS {
        let mut client = connect(&server, door);
        for (seq, command) in ["queueevent", "nosuchcommand", "stream"]
            .into_iter()
            .enumerate()
        {
            let mut envelope = message::request(command, seq as i32, "z", &json!({}));
            envelope.rid = "unknown".into();
            client.send(&envelope).expect("sent");
        }
        let reply = client.exchange(message::request(
            "getelement",
            3,
            "last",
            &json!({"xpath": "x"}),
        ));
        assert_eq!(reply.rid, "last", "{door:?}");
    }
}

fn hostile_client(server: &Server, door: Door) -> Client {
    let mut client = connect(server, door);
    assert!(!client.sign_in_root().is_error());
    client
}

#[test]
fn deep_filters_exploding_patterns_and_large_documents() {
    let server = Server::start();
    for door in live::DOORS {
        let mut client = hostile_client(&server, door);
        let deep = format!("{}1{}", "{\"a\":".repeat(1_000), "}".repeat(1_000));
        let reply = client.call("query", json!({"collectionname": "hostile", "query": deep}));
        assert!(
            reply.is_error() && reply.text().contains("query"),
            "{door:?}: {}",
            reply.text()
        );
        let deep = format!("{}{{}}{}", "{\"$and\":[".repeat(1_000), "]}".repeat(1_000));
        assert!(
            client
                .call("query", json!({"collectionname": "hostile", "query": deep}))
                .is_error(),
            "{door:?}"
        );

        let item = json!({"text": format!("{}!", "a".repeat(64))}).to_string();
        assert!(
            !client
                .call(
                    "insertone",
                    json!({"collectionname": "hostile", "item": item})
                )
                .is_error()
        );
        let explode = json!({"text": {"$regex": "^(a+)+$"}}).to_string();
        let reply = client.call(
            "count",
            json!({"collectionname": "hostile", "query": explode}),
        );
        assert_eq!(reply.json()["result"].as_i64().unwrap_or(0), 0, "{door:?}");
        let huge = json!({"text": {"$regex": "(((a{100}){100}){100}){100}"}}).to_string();
        let reply = client.call("count", json!({"collectionname": "hostile", "query": huge}));
        assert!(
            reply.is_error(),
            "{door:?}: a pattern of a hundred million states"
        );
    }
    // 64 MiB as a byte array of REST JSON would say more of the test than of the server.
    for door in STREAMS {
        let mut client = hostile_client(&server, door);
        let item = format!("{{\"text\":\"{}\"}}", "x".repeat(64 << 20));
        let reply = client.call(
            "insertone",
            json!({"collectionname": "hostile", "item": item}),
        );
        assert!(reply.is_error(), "{door:?}");
        assert!(
            reply
                .text()
                .contains(&limits::DOCUMENT_BYTES_MAX.to_string()),
            "{door:?}: {}",
            reply.text()
        );
    }
    assert_alive(&server);
}

#[test]
fn silent_slow_and_anonymous_connections_are_reaped() {
    let server = Options::default()
        .set("client_signin_timeout", "2")
        .set("client_heartbeat_timeout", "3")
        .start();
    let mut idle: Vec<_> = (0..500).map(|_| doors::tcp(&server)).collect();
    // A frame that announces 1,000 bytes and brings one of them now and then.
    let mut slow: Vec<_> = (0..500).map(|_| doors::tcp(&server)).collect();
    for socket in &mut slow {
        socket.write_all(&[0xe8, 3, 0, 0, 1]).expect("sent");
    }
    for socket in idle.iter_mut().chain(&mut slow) {
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout");
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).expect("closed by the server");
    }
    server.wait_closed("sniff_timeout", 500);
    server.wait_closed("signin_timeout", 500);
    assert_alive(&server);
}

#[test]
fn http_nonsense_is_answered_and_unknown_paths_are_404() {
    let server = Server::start();
    let ask = |request: &str| live::server::http(server.port, request).map(|(status, _)| status);
    assert_eq!(
        ask("GET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n"),
        Some(404)
    );
    assert_eq!(
        ask("GET /api/v2 HTTP/1.1\r\nConnection: close\r\n\r\n"),
        Some(404)
    );
    assert_eq!(
        ask("PUT /api/v2 HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        Some(405)
    );
    assert_eq!(
        ask("POST /api/v2 HTTP/1.1\r\nContent-Length: nine\r\n\r\n"),
        Some(400)
    );
    assert_eq!(
        ask("POST /api/v2 HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n"),
        Some(413)
    );
    assert_eq!(
        ask("GET /ws/v2 HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n\r\n"),
        Some(426)
    );
    let chunked = "POST /api/v2 HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n12\r\n{\"command\":\"noop\"}\r\n0\r\n\r\n";
    assert_eq!(ask(chunked), Some(200));
    assert_alive(&server);
}

#[test]
fn grpc_calls_that_are_not_served_say_so() {
    let server = Server::start();
    let status = |path: &str| {
        let refused = grpc::GrpcStream::call(server.port, path, &[])
            .err()
            .expect("no stream");
        refused["grpc-status"].to_str().expect("text").to_owned()
    };
    assert_eq!(status("/openiap.FlowService/Query"), "12");
    assert_eq!(status("/openiap.FlowService/Nope"), "12");
    assert_eq!(status("/other.Service/Call"), "12");
    let mut timed =
        grpc::GrpcStream::call(server.port, grpc::SETUP_STREAM, &[("grpc-timeout", "200m")])
            .expect("open");
    assert_eq!(
        timed.trailers()["grpc-status"],
        "4",
        "the deadline of the client"
    );
    let mut ended = grpc::GrpcStream::connect(server.port);
    ended.finish();
    assert_eq!(
        ended.trailers()["grpc-status"],
        "0",
        "half-closed by the client"
    );
    let mut broken = grpc::GrpcStream::connect(server.port);
    broken.send_bytes(grpc::message(&[0xff; 8])).expect("sent");
    assert_eq!(broken.trailers()["grpc-status"], "3");
    assert_alive(&server);
}

#[test]
fn the_envelope_of_prost_is_the_envelope_of_the_server() {
    // Guards the test's own codec: what it sends is what it means.
    let envelope = message::request("getelement", 3, "id", &json!({"xpath": "p"}));
    assert_eq!(
        Envelope::decode(&envelope.encode_to_vec()[..]).expect("decodes"),
        envelope
    );
}
