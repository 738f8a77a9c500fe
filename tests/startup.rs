//! The start-up matrix: what refuses to start says why, and what to do.
//!
//! Runs against the server that `OPENCORE_BIN` names, or else the one cargo built.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use live::server::{Options, binary, free_port};
use live::{Door, Server, connect};
use serde_json::json;

mod live;

fn refusal(options: Options) -> String {
    match Server::spawn(options) {
        Ok(_) => panic!("it started"),
        Err(text) => text,
    }
}

#[test]
fn the_banner_names_everything_and_the_password_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let port = free_port();
    let run = || {
        let mut child = Command::new(binary())
            .args([
                "--listen",
                &format!("127.0.0.1:{port}"),
                "--pipe",
                &format!("ocbanner{port}"),
                "--data",
            ])
            .arg(&data)
            .env_remove("OPENCORE_ROOT_PASSWORD")
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("runs");
        wait_listening(port);
        Command::new("kill")
            .arg(child.id().to_string())
            .status()
            .expect("kill");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut child.stdout.take().expect("piped"), &mut text)
            .expect("text");
        assert!(child.wait().expect("ends").success(), "{text}");
        text
    };
    let first = run();
    for part in [
        env!("CARGO_PKG_VERSION"),
        "driver",
        "shards",
        &format!("127.0.0.1:{port}"),
        "CoreFxPipe_ocbanner",
        "data",
        "password",
    ] {
        assert!(first.contains(part), "{part} in {first}");
    }
    let second = run();
    assert!(!second.contains("password"), "{second}");
}

fn wait_listening(port: u16) {
    for _ in 0..3_000 {
        if live::server::http(port, "GET /readyz HTTP/1.1\r\nConnection: close\r\n\r\n")
            .is_some_and(|(status, _)| status == 200)
        {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("it does not listen");
}

#[test]
fn a_port_that_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let text = refusal(Options::default().argument("--listen").argument(&address));
    assert!(
        text.contains(&address) && text.contains("--listen"),
        "{text}"
    );
}

#[test]
fn a_data_folder_that_another_server_holds() {
    let server = Server::start();
    let text = refusal(Options::default().data(&server.data));
    assert!(
        text.contains(&server.pid().to_string()),
        "names who holds it: {text}"
    );
}

#[test]
fn a_damaged_data_file() {
    for damage in [truncate as fn(&mut fs::File), overwrite] {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let mut server = Options::default().data(&data).start();
        let mut client = connect(&server, Door::Tcp);
        client.sign_in_root();
        for _ in 0..20 {
            client.call("insertone", json!({"collectionname": "c", "item": format!("{{\"t\":\"{}\"}}", "x".repeat(9_000))}));
        }
        server.signal("-TERM");
        assert!(server.wait_exit().success());
        let path = largest_file(&data);
        damage(
            &mut fs::OpenOptions::new()
                .write(true)
                .open(&path)
                .expect("opens"),
        );
        let text = refusal(Options::default().data(&data));
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        assert!(
            text.contains(&name) && !text.contains("panicked"),
            "names the file: {text}"
        );
    }
}

fn truncate(file: &mut fs::File) {
    let length = file.metadata().expect("metadata").len();
    file.set_len(length / 3).expect("truncates");
}

fn overwrite(file: &mut fs::File) {
    file.write_all(&[0x5a; 16_384]).expect("writes");
}

fn largest_file(folder: &std::path::Path) -> std::path::PathBuf {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => files.push((metadata.len(), entry.path())),
                Err(_) => {}
            }
        }
    }
    files.into_iter().max().expect("a file").1
}

#[test]
fn io_uring_refused_stops_by_name_and_falls_back_when_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrapper = folder.path().join("refuse");
    // A seccomp filter that answers EPERM to io_uring_setup, as container profiles do.
    let script = format!(
        "#!/usr/bin/env python3\n{}",
        include_str!("live/seccomp.py")
    );
    fs::write(&wrapper, script).expect("writes");
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("executable");
    let start = |driver: &str| {
        let port = free_port();
        let child = Command::new(&wrapper)
            .arg(binary())
            .args([
                "serve",
                "--driver",
                driver,
                "--listen",
                &format!("127.0.0.1:{port}"),
                "--pipe",
                &format!("ocuring{port}"),
            ])
            .arg("--data")
            .arg(folder.path().join(driver))
            .env("OPENCORE_ROOT_PASSWORD", live::server::ROOT_PASSWORD)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("runs");
        (child, port)
    };
    let (child, _) = start("io_uring");
    let output = child.wait_with_output().expect("ends");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && text.contains("EPERM") && text.contains("seccomp"),
        "{text}"
    );
    let (child, port) = start("auto");
    wait_listening(port);
    Command::new("kill")
        .arg(child.id().to_string())
        .status()
        .expect("kill");
    let output = child.wait_with_output().expect("ends");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("epoll") && text.contains("EPERM"),
        "the banner names the driver and why: {text}"
    );
}

#[test]
fn a_drain_finishes_what_is_in_flight_and_exits_0() {
    let mut server = Server::start();
    let mut client = connect(&server, Door::WebSocket);
    client.sign_in_root();
    for number in 0..50 {
        let envelope = live::message::request(
            "insertone",
            number + 1,
            &format!("d{number}"),
            &json!({"collectionname": "drain", "item": "{}"}),
        );
        client.send(&envelope).expect("sent");
    }
    // The first reply shows that the others are in: then the signal.
    let mut replies = 1;
    let first = client.receive().expect("a message");
    assert!(!first.is_error());
    server.signal("-TERM");
    while let Ok(reply) = client.receive() {
        replies += usize::from(reply.command == "insertonereply");
    }
    assert!(server.wait_exit().success(), "{}", server.log());
    assert!(replies > 1, "what was in flight was answered");
    let again = Options::default().data(&server.data).start();
    let mut client = connect(&again, Door::Tcp);
    client.sign_in_root();
    let count = client
        .call("count", json!({"collectionname": "drain", "query": "{}"}))
        .json();
    assert!(
        count["result"].as_u64().expect("a count") >= replies as u64 - 1,
        "{count}"
    );
}
