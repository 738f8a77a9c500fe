//! What a figure is worth nothing without: driver, commit, kernel, CPU, durability.

use std::fmt::Write;
use std::io::{Read, Write as _};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::admin::cli::{BenchArgs, Operation};
use crate::admin::link::Target;
use crate::limits::HTTP_BODY_BYTES_MAX;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct Environment {
    pub server_driver: String,
    pub durability: String,
    pub commit: String,
    pub kernel: String,
    pub cpu: String,
}

fn unknown() -> String {
    "unknown".into()
}

/// Asks the server's `/varz`, the repository and the kernel; what is not to be had
/// is `unknown`.
pub(super) fn collect(target: &Target) -> Environment {
    let varz = target.authority().and_then(varz).unwrap_or_default();
    let of_server = |key: &str| varz[key].as_str().map_or_else(unknown, str::to_string);
    Environment {
        server_driver: of_server("driver"),
        durability: of_server("durability"),
        commit: match option_env!("OPENCORE_COMMIT") {
            Some(commit) => commit.to_string(),
            None => git_commit().unwrap_or_else(unknown),
        },
        kernel: file("/proc/sys/kernel/osrelease").unwrap_or_else(unknown),
        cpu: cpu().unwrap_or_else(unknown),
    }
}

impl Environment {
    pub fn text(&self, args: &BenchArgs) -> String {
        let op = match args.op {
            Operation::Ping => "ping (getelement: a client's ping gets no reply)",
            Operation::Query => "query by _id",
            Operation::Insert => "insert, durable",
        };
        let mut out = String::new();
        let _ = writeln!(
            out,
            "server  driver {} · durability {}",
            self.server_driver, self.durability
        );
        let _ = writeln!(
            out,
            "tool    commit {} · kernel {} · {}",
            self.commit, self.kernel, self.cpu
        );
        let _ = writeln!(
            out,
            "load    {op} · {} · {} connections",
            args.server.url(),
            args.connections
        );
        out
    }
}

fn file(path: &str) -> Option<String> {
    Some(std::fs::read_to_string(path).ok()?.trim().to_string())
}

fn cpu() -> Option<String> {
    let text = file("/proc/cpuinfo")?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    let cores = text
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    Some(format!("{} × {cores}", line.split_once(':')?.1.trim()))
}

/// The commit checked out where the tool was started.
fn git_commit() -> Option<String> {
    let output = Command::new("git")
        .args(["rev-parse", "--short", "HEAD"])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.is_empty()).then(|| text.trim().to_string())
}

fn varz(authority: &str) -> Option<Value> {
    let address = authority.to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT).ok()?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).ok()?;
    let request = format!("GET /varz HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // An answer cut short by the timeout may still hold the whole document.
    let _ = stream
        .take(HTTP_BODY_BYTES_MAX as u64)
        .read_to_end(&mut answer);
    let text = String::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let fine = head.split(' ').nth(1)? == "200";
    let json = body.get(body.find('{')?..=body.rfind('}')?)?;
    fine.then(|| serde_json::from_str(json).ok())?
}
