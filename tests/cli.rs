//! The program as its user meets it: arguments, exit codes, and the load tool
//! against small servers of this file.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::thread;

use opencore::wire::envelope::{Head, Outgoing, write_reply};

fn opencore(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_opencore"))
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn check_prints_what_would_run() {
    let output = opencore(&["--check", "--listen", "127.0.0.1:4001", "--pipe", "mine"]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(shown.contains("listen = 127.0.0.1:4001\n"), "{shown}");
    assert!(shown.contains("pipes = mine\n"), "{shown}");
}

#[test]
fn wrong_settings_exit_with_1_and_a_reason() {
    for (arguments, reason) in [
        (&["--check", "--shards", "900"][..], "from 1 to 64"),
        (
            &["serve", "--check", "--set", "enable_gest=true"],
            "`enable_guest`",
        ),
        (
            &["--check", "--config", "/nowhere/x.toml"],
            "cannot be read",
        ),
        (&["call", "getelement", "--url", "gopher://x"], "tcp://"),
        (&["call", "nope"], "Unknown command nope"),
        (&["bench", "--url", "http://127.0.0.1:1"], "bench speaks"),
        (&["bench", "--url", "tcp://127.0.0.1:1"], "refused"),
    ] {
        let output = opencore(arguments);
        let shown = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(shown.contains(reason), "{arguments:?}: {shown}");
    }
}

#[test]
fn the_printed_settings_file_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("opencore.toml");
    std::fs::write(&file, opencore(&["settings"]).stdout).unwrap();
    let output = opencore(&["--check", "--config", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn doctor_refuses_a_taken_address() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = folder.path().to_str().unwrap();
    let arguments = [
        "doctor", "--data", data, "--driver", "epoll", "--listen", &address,
    ];
    let output = opencore(&arguments);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(
        shown.contains("REFUSED") && shown.contains("ss -ltnp"),
        "{shown}"
    );
    drop(taken);
    assert!(opencore(&arguments).status.success());
}

/// Accepts connections and runs `serve` on each, in threads that end with the test.
fn server(serve: fn(TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    address
}

fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 65_536];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..read]).is_err() {
            return;
        }
    }
}

fn frames(mut stream: TcpStream, mut answer: impl FnMut(&Head<'_>, &[u8], &mut Vec<u8>)) {
    let mut len = [0; 4];
    while stream.read_exact(&mut len).is_ok() {
        let mut frame = vec![0; u32::from_le_bytes(len) as usize];
        if stream.read_exact(&mut frame).is_err() {
            return;
        }
        let Ok(head) = Head::scan(&frame) else { return };
        let mut out = Vec::new();
        answer(&head, &frame, &mut out);
        if stream.write_all(&out).is_err() {
            return;
        }
    }
}

fn put(out: &mut Vec<u8>, command: &str, rid: &str, type_name: &str, body: &[u8]) {
    let parts = Outgoing {
        command,
        id: "r",
        rid,
        type_name,
        body_len: body.len(),
        ..Outgoing::default()
    };
    out.extend_from_slice(&(parts.encoded_len() as u32).to_le_bytes());
    write_reply(out, &parts);
    out.extend_from_slice(body);
}

/// Answers getelement with its own xpath and pings in between.
fn element(stream: TcpStream) {
    frames(stream, |head, frame, out| {
        if head.command != "getelement" {
            return;
        }
        put(out, "ping", "", "PingRequest", &[]);
        put(
            out,
            "getelement",
            head.id,
            "GetElementResponse",
            head.body(frame),
        );
    });
}

/// Answers the first request twice and the second never.
fn faulty(stream: TcpStream) {
    let mut count = 0;
    frames(stream, move |head, _, out| {
        count += 1;
        if head.command != "pong" && count != 2 {
            put(out, "getelement", head.id, "GetElementResponse", &[]);
        }
        if count == 1 {
            put(out, "getelement", head.id, "GetElementResponse", &[]);
        }
    });
}

fn websocket_echo(stream: TcpStream) {
    let Ok(mut socket) = tungstenite::accept(stream) else {
        return;
    };
    while let Ok(message) = socket.read() {
        if message.is_binary() && socket.send(message).is_err() {
            return;
        }
    }
}

fn bench(url: &str, more: &[&str]) -> (bool, serde_json::Value) {
    let mut arguments = vec!["bench", "--url", url, "--json", "--duration", "1"];
    arguments.extend(more);
    let output = opencore(&arguments);
    let shown = text(&output.stdout);
    let json =
        serde_json::from_str(&shown).unwrap_or_else(|_| panic!("{shown} {}", text(&output.stderr)));
    (output.status.success(), json)
}

#[test]
fn bench_measures_and_verifies_tcp_and_websocket() {
    for (url, expect) in [
        (format!("tcp://{}", server(echo)), "echo"),
        (format!("ws://{}", server(websocket_echo)), "echo"),
        (format!("tcp://{}", server(element)), "reply"),
    ] {
        let more = ["--expect", expect, "--connections", "3", "--in-flight", "4"];
        let (right, json) = bench(&url, &more);
        assert!(right, "{url}: {json}");
        assert!(json["messages"].as_u64().unwrap() > 100, "{json}");
        assert_eq!(
            (&json["missing"], &json["duplicates"]),
            (&0.into(), &0.into())
        );
        let us = |key: &str| json[key].as_f64().unwrap();
        assert!(us("p50_us") > 0.0 && us("p50_us") <= us("p99_us"), "{json}");
        assert!(
            us("p99_us") <= us("p999_us") && us("p999_us") <= us("max_us"),
            "{json}"
        );
    }
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let url = format!("tcp://{}", server(echo));
    let (right, json) = bench(
        &url,
        &["--expect", "echo", "--rate", "500", "--connections", "2"],
    );
    assert!(right, "{json}");
    let messages = json["messages"].as_u64().unwrap();
    assert!((450..=500).contains(&messages), "{json}");
}

#[test]
fn bench_fails_on_lost_and_doubled_replies() {
    let url = format!("tcp://{}", server(faulty));
    let (right, json) = bench(&url, &["--in-flight", "2"]);
    assert!(!right);
    assert_eq!(json["missing"], 1, "{json}");
    assert_eq!(json["duplicates"], 1, "{json}");
}

#[test]
fn call_prints_the_reply_as_json() {
    let url = format!("tcp://{}", server(element));
    let output = opencore(&["call", "getelement", r#"{"xpath":"/a"}"#, "--url", &url]);
    assert_eq!(
        text(&output.stdout),
        "{\"xpath\":\"/a\"}\n",
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn idle_connections_are_held() {
    let url = format!("tcp://{}", server(element));
    let pid = std::process::id().to_string();
    let (right, json) = bench(&url, &["--idle", "20", "--pid", &pid]);
    assert!(right, "{json}");
    assert_eq!(json["lost"], 0);
    assert!(json["bytes_per_connection"].is_number(), "{json}");
}

#[test]
fn users_and_tokens_of_a_folder_need_no_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let output = opencore(&["user", "add", "bob", "--role", "users", "--data", data]);
    let errors = text(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(errors.contains("first start: user root"), "{errors}");
    assert!(text(&output.stdout).contains("password "));
    let output = opencore(&["token", "bob", "--long", "--data", data]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).trim().split('.').count(), 3);
    for (arguments, reason) in [
        (&["user", "add", "bob", "--data", data][..], "bob"),
        (
            &["user", "add", "eve", "--role", "nobody", "--data", data],
            "no role `nobody`",
        ),
        (&["token", "nobody", "--data", data], "no user `nobody`"),
    ] {
        let output = opencore(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let errors = text(&output.stderr);
        assert!(errors.contains(reason), "{arguments:?}: {errors}");
    }
}
