//! One client per door, with the same face.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opencore::wire::proto::Envelope;
use prost::Message;
use serde_json::{Value, json};

use super::grpc::GrpcStream;
use super::message::{self, Reply};
use super::server::{self, ROOT_PASSWORD, Server};
use super::websocket::WebSocketStream;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Tcp,
    Pipe,
    WebSocket,
    Grpc,
    Rest,
}

pub const DOORS: [Door; 5] = [
    Door::Tcp,
    Door::Pipe,
    Door::WebSocket,
    Door::Grpc,
    Door::Rest,
];

/// Doors whose connection stays.
pub const STREAMS: [Door; 4] = [Door::Tcp, Door::Pipe, Door::WebSocket, Door::Grpc];

const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes in, envelopes out.
pub trait Stream: Send {
    fn send(&mut self, envelope: &Envelope) -> std::io::Result<()>;
    /// The next message of the server; an error when the connection ended.
    fn receive(&mut self) -> std::io::Result<Envelope>;
}

/// A client of any door.
pub struct Client {
    stream: Option<Box<dyn Stream>>,
    port: u16,
    pub token: String,
    pub jwt: String,
    seq: i32,
    received: i32,
    root_token: Arc<Mutex<Option<String>>>,
}

pub fn connect(server: &Server, door: Door) -> Client {
    let stream = match door {
        Door::Rest => None,
        door => Some(stream(server, door)),
    };
    Client {
        stream,
        port: server.port,
        token: String::new(),
        jwt: String::new(),
        seq: 0,
        received: 0,
        root_token: server.root_token.clone(),
    }
}

pub fn stream(server: &Server, door: Door) -> Box<dyn Stream> {
    match door {
        Door::Tcp => Box::new(Framed(tcp(server))),
        Door::Pipe => Box::new(Framed(pipe(server))),
        Door::WebSocket => Box::new(WebSocketStream::connect(server.port)),
        Door::Grpc => Box::new(GrpcStream::connect(server.port)),
        Door::Rest => unreachable!("REST has no stream"),
    }
}

pub fn tcp(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port)).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

pub fn pipe(server: &Server) -> UnixStream {
    let stream = UnixStream::connect(format!("/tmp/CoreFxPipe_{}", server.pipe)).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

impl Client {
    /// Sends one request and returns its reply; unsolicited messages are skipped.
    pub fn call(&mut self, command: &str, message: Value) -> Reply {
        let id = format!("t{}", self.seq);
        let envelope = message::request(command, self.seq, &id, &message);
        self.exchange(envelope)
    }

    pub fn exchange(&mut self, mut envelope: Envelope) -> Reply {
        envelope.jwt = if envelope.jwt.is_empty() {
            self.jwt.clone()
        } else {
            envelope.jwt
        };
        self.seq += 1;
        if self.stream.is_none() {
            return self.rest(&envelope);
        }
        self.send(&envelope).expect("sent");
        loop {
            let reply = self.receive().expect("a reply");
            if reply.rid == envelope.id {
                return reply;
            }
            assert!(reply.rid.is_empty(), "a reply to nothing: {reply:?}");
        }
    }

    pub fn send(&mut self, envelope: &Envelope) -> std::io::Result<()> {
        self.stream.as_mut().expect("a stream").send(envelope)
    }

    /// The next message; sequence numbers must run from 0 without gaps (contract 1.4).
    pub fn receive(&mut self) -> std::io::Result<Reply> {
        let reply = Reply::of(self.stream.as_mut().expect("a stream").receive()?);
        assert_eq!(
            reply.seq, self.received,
            "sequence of the server: {reply:?}"
        );
        self.received += 1;
        Ok(reply)
    }

    /// As root, for tests that need one who may do everything. The password is checked once
    /// per server, since that is made to be slow; then root's token signs in.
    pub fn sign_in_root(&mut self) -> Reply {
        let known = self.root_token.lock().expect("token").clone();
        let message = match &known {
            Some(token) => json!({"jwt": token, "ping": true}),
            None => {
                json!({"username": "root", "password": ROOT_PASSWORD, "ping": true, "longtoken": true})
            }
        };
        let reply = self.sign_in_with(message);
        if known.is_none() && !reply.is_error() {
            *self.root_token.lock().expect("token") = Some(self.token.clone());
        }
        reply
    }

    pub fn sign_in(&mut self, username: &str, password: &str) -> Reply {
        self.sign_in_with(json!({"username": username, "password": password, "ping": true}))
    }

    fn sign_in_with(&mut self, message: Value) -> Reply {
        let reply = self.call("signin", message);
        if !reply.is_error() {
            self.token = reply.json()["jwt"].as_str().unwrap_or_default().to_owned();
            // REST has no connection to remember the token.
            if self.stream.is_none() {
                self.jwt = self.token.clone();
            }
        }
        reply
    }

    fn rest(&self, envelope: &Envelope) -> Reply {
        let data = envelope.data.clone().unwrap_or_default();
        let body = json!({
            "command": envelope.command, "id": envelope.id, "rid": envelope.rid, "jwt": envelope.jwt,
            "data": {"type_url": data.type_url, "value": {"type": "Buffer", "data": data.value}},
        });
        let (status, answer) = rest(self.port, &body.to_string());
        assert_eq!(status, 200, "{answer}");
        read_rest(&answer)
    }
}

/// One raw body to `POST /api/v2`.
pub fn rest(port: u16, body: &str) -> (u16, String) {
    let request = format!(
        "POST /api/v2 HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    server::http(port, &request).expect("an answer")
}

pub fn read_rest(answer: &str) -> Reply {
    let answer: Value = serde_json::from_str(answer).expect("the answer is JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let bytes = answer["data"]["value"]["data"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    Reply {
        command: text(&answer["command"]),
        rid: text(&answer["rid"]),
        seq: 0,
        type_url: text(&answer["data"]["type_url"]),
        body: bytes
            .iter()
            .filter_map(|byte| byte.as_u64())
            .map(|byte| byte as u8)
            .collect(),
    }
}

/// Length-prefixed envelopes over any byte stream.
pub struct Framed<S>(pub S);

impl<S: Read + Write + Send> Stream for Framed<S> {
    fn send(&mut self, envelope: &Envelope) -> std::io::Result<()> {
        self.0.write_all(&message::framed(envelope))
    }

    fn receive(&mut self) -> std::io::Result<Envelope> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_le_bytes(length) as usize];
        self.0.read_exact(&mut body)?;
        Envelope::decode(&body[..]).map_err(std::io::Error::other)
    }
}
