//! What the server says once it is ready: where it listens and what carries it.

use std::fmt::Write;
use std::path::PathBuf;

use crate::runtime::serve::Started;
use crate::runtime::status::ServerStatus;

/// Everything the banner names; `runtime` fills it with what really runs.
#[derive(Clone, Debug)]
pub struct Banner {
    pub version: &'static str,
    /// `io_uring` or `epoll`.
    pub driver: &'static str,
    /// Why the driver is not the one asked for.
    pub driver_reason: Option<String>,
    pub shards: usize,
    /// Addresses as bound.
    pub listen: Vec<String>,
    /// Paths of pipes as bound.
    pub pipes: Vec<String>,
    pub data: PathBuf,
    /// The password made at first start; shown this once.
    pub root_password: Option<String>,
}

/// The banner of a server that has started.
pub fn of(status: &ServerStatus, started: &Started) -> String {
    text(&Banner {
        version: env!("CARGO_PKG_VERSION"),
        driver: status.driver,
        driver_reason: started.driver_note.clone(),
        shards: started.shards,
        listen: status.addresses.clone(),
        pipes: status.pipes.clone(),
        data: status.data.clone(),
        root_password: started.root_password.clone(),
    })
}

/// The text, ending with a newline.
pub fn text(banner: &Banner) -> String {
    let mut out = String::new();
    let plural = if banner.shards == 1 {
        "shard"
    } else {
        "shards"
    };
    let _ = writeln!(
        out,
        "opencore {} ready · driver {} · {} {plural} · data {}",
        banner.version,
        banner.driver,
        banner.shards,
        banner.data.display()
    );
    if let Some(reason) = &banner.driver_reason {
        let _ = writeln!(out, "  driver  {} because {reason}", banner.driver);
    }
    for address in &banner.listen {
        let _ = writeln!(
            out,
            "  listen  {address}  grpc:// ws://{address}/ws/v2 http:// tcp://"
        );
    }
    for pipe in &banner.pipes {
        let _ = writeln!(out, "  pipe    {pipe}");
    }
    if let Some(password) = &banner.root_password {
        let _ = writeln!(
            out,
            "  first start: user root, password {password}\n  \
             (shown this once; change it with updateone on users, field newpassword)"
        );
    }
    if let Some(address) = banner.listen.first() {
        let _ = writeln!(
            out,
            "  try     opencore call getelement --url tcp://{address}"
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banner() -> Banner {
        Banner {
            version: "1.2.3",
            driver: "epoll",
            driver_reason: None,
            shards: 1,
            listen: vec![
                "127.0.0.1:3000".parse().unwrap(),
                "[::1]:81".parse().unwrap(),
            ],
            pipes: vec!["OpenCore".into()],
            data: "/var/lib/opencore".into(),
            root_password: None,
        }
    }

    #[test]
    fn names_everything_that_runs() {
        let text = text(&banner());
        for part in [
            "1.2.3",
            "driver epoll",
            "1 shard ",
            "127.0.0.1:3000",
            "[::1]:81",
            "OpenCore",
            "/var/lib/opencore",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("password") && !text.contains("because"));
    }

    #[test]
    fn shows_the_first_password_and_the_reason_for_a_fallback() {
        let mut banner = banner();
        banner.root_password = Some("s3cret".into());
        banner.driver_reason = Some("io_uring_setup: EPERM".into());
        banner.shards = 4;
        let text = text(&banner);
        assert!(text.contains("password s3cret"));
        assert!(text.contains("epoll because io_uring_setup: EPERM"));
        assert!(text.contains("4 shards"));
    }
}
