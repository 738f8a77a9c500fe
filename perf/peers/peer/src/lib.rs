//! What every measured peer shares: its two arguments, its core, its end by SIGTERM, and where
//! a frame ends. Nothing here runs per message except [`frame::complete_bytes`].

pub mod frame;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::thread::{CpuSet, sched_setaffinity};

/// Connections the kernel may queue before the peer accepts them.
const LISTEN_BACKLOG: i32 = 1024;

/// What a peer is told on its command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// TCP port on 127.0.0.1; 0 lets the kernel choose.
    pub port: u16,
    /// The one core the peer's one thread runs on, counted from 0.
    pub core: usize,
}

/// Reads the command line, pins the calling thread and arranges that SIGTERM ends the process
/// with status 0. A wrong command line, or a core that does not exist, ends it with status 2.
pub fn start() -> Options {
    let options = parse(std::env::args().skip(1)).unwrap_or_else(|reason| refuse(&reason));
    pin(options.core).unwrap_or_else(|e| refuse(&format!("core {}: {e}", options.core)));
    let armed = Arc::new(AtomicBool::new(true));
    signal_hook::flag::register_conditional_shutdown(signal_hook::consts::SIGTERM, 0, armed)
        .unwrap_or_else(|e| refuse(&format!("SIGTERM handler: {e}")));
    options
}

/// A listener on 127.0.0.1 with a backlog fit for a burst of connections.
///
/// # Errors
/// Whatever the kernel says, usually that the port is taken.
pub fn listen(options: Options) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
    // The standard library asks for 128; on Linux a second listen(2) changes the backlog.
    rustix::net::listen(&listener, LISTEN_BACKLOG)?;
    Ok(listener)
}

/// Says on standard output that connections are accepted from now on.
///
/// # Errors
/// When standard output is closed.
pub fn ready(address: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "listening {address}")?;
    out.flush()
}

fn pin(core: usize) -> io::Result<()> {
    if core >= CpuSet::MAX_CPU {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mut port, mut core) = (None, None);
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} wants a value"))?;
        let wrong = |e| format!("{name} {value}: {e}");
        match name.as_str() {
            "--port" => port = Some(value.parse().map_err(wrong)?),
            "--core" => core = Some(value.parse().map_err(wrong)?),
            _ => return Err(format!("unknown option {name}")),
        }
    }
    Ok(Options {
        port: port.ok_or("--port is missing")?,
        core: core.ok_or("--core is missing")?,
    })
}

fn refuse(reason: &str) -> ! {
    eprintln!("{reason}\nusage: NAME --port PORT --core CORE");
    std::process::exit(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Options, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn both_options_are_needed() {
        assert_eq!(
            words("--core 1 --port 7000"),
            Ok(Options {
                port: 7000,
                core: 1
            })
        );
        assert!(words("--port 7000").unwrap_err().contains("--core"));
        assert!(
            words("--port 70000 --core 0")
                .unwrap_err()
                .contains("70000")
        );
        assert!(words("--port").unwrap_err().contains("value"));
        assert!(words("--speed 9").unwrap_err().contains("--speed"));
    }
}
