//! A peer as a child process: started, found by its first line, ended by SIGTERM.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A peer has nothing to finish, so SIGTERM ends it at once.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// A running peer; dropped, it is killed.
pub struct Program {
    child: Child,
    address: SocketAddr,
}

impl Program {
    /// Starts `path` on a free port of 127.0.0.1 and waits until it says that it listens.
    ///
    /// # Panics
    /// When it does not start or says something else.
    pub fn start(path: &str) -> Self {
        let mut child = Command::new(path)
            .args(["--port", "0", "--core", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{path}: {e}"));
        let mut line = String::new();
        let out = child.stdout.take().expect("standard output is piped");
        BufReader::new(out)
            .read_line(&mut line)
            .expect("standard output is text");
        let address = line
            .trim()
            .strip_prefix("listening ")
            .and_then(|text| text.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            panic!("{path} said {line:?} instead of: listening 127.0.0.1:PORT");
        };
        Self { child, address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// # Panics
    /// When the peer does not end by itself with status 0.
    pub fn end_by_sigterm(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("the peer still runs");
        let deadline = Instant::now() + END_TIMEOUT;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                assert!(status.success(), "the peer ended with {status}");
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the peer ignored SIGTERM");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
