//! A small closed-loop load on a framed echo: each connection sends a window of frames, takes
//! the window's echo, compares it, and goes on. It serves to try a peer by hand and to try the
//! comparison without the product; figures to publish come from the product's own load tool.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::frames;

/// What to do to the peer.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub address: SocketAddr,
    /// One thread each, 1 to 1,024.
    pub connections: usize,
    /// Frames per window, 1 to 1,024.
    pub in_flight: usize,
    pub body_bytes: usize,
    pub duration: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    pub messages: u64,
    pub elapsed: Duration,
    /// Time from the first byte of a window to the last of its echo; sorted.
    pub windows_ns: Vec<u64>,
}

impl Outcome {
    /// The time within which `fraction` of the windows came back, in nanoseconds.
    pub fn quantile_ns(&self, fraction: f64) -> u64 {
        let last = self.windows_ns.len().saturating_sub(1);
        let rank = (last as f64 * fraction).round() as usize;
        self.windows_ns.get(rank).copied().unwrap_or(0)
    }
}

/// Runs the load to its end.
///
/// # Errors
/// A connection that broke or an echo that differed.
pub fn run(load: Load) -> io::Result<Outcome> {
    let started = Instant::now();
    let deadline = started + load.duration;
    let mut total = Outcome::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..load.connections)
            .map(|seed| scope.spawn(move || windows(load, seed as u64, deadline)))
            .collect();
        for worker in workers {
            let times = worker
                .join()
                .map_err(|_| io::Error::other("a worker panicked"))??;
            total.messages += (times.len() * load.in_flight) as u64;
            total.windows_ns.extend(times);
        }
        Ok::<_, io::Error>(())
    })?;
    total.elapsed = started.elapsed();
    total.windows_ns.sort_unstable();
    Ok(total)
}

fn windows(load: Load, seed: u64, deadline: Instant) -> io::Result<Vec<u64>> {
    let mut stream = TcpStream::connect(load.address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(crate::ANSWER_TIMEOUT))?;
    let window = frames::sequence(seed, load.in_flight, load.body_bytes);
    let mut echoed = vec![0; window.len()];
    let mut times = Vec::new();
    while Instant::now() < deadline {
        let sent = Instant::now();
        stream.write_all(&window)?;
        stream.read_exact(&mut echoed)?;
        times.push(u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX));
        if echoed != window {
            return Err(io::Error::other("an echo differs from what was sent"));
        }
    }
    Ok(times)
}
