//! A verifying client for the framed echo, in plain threads of the standard library, so that
//! no peer is judged by a client built on the same runtime.

pub mod frames;
pub mod load;
pub mod program;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use program::Program;

/// Connections checked at the same time.
const CONNECTIONS: usize = 8;
/// Frames per connection and body size.
const FRAMES: usize = 300;
/// Body sizes of the published comparisons, in bytes.
const BODY_BYTES: [usize; 2] = [120, 4096];
/// Nothing on the loopback takes longer, even on a busy machine.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Starts the peer at `path` on core 0 and checks everything the comparison relies on.
///
/// # Panics
/// With what was expected and what came, when the peer does otherwise.
pub fn verify_peer(path: &str) {
    let program = Program::start(path);
    let address = program.address();
    for body_bytes in BODY_BYTES {
        std::thread::scope(|scope| {
            for connection in 0..CONNECTIONS {
                scope.spawn(move || {
                    verify_connection(address, connection, body_bytes).unwrap_or_else(|e| {
                        panic!("connection {connection}, {body_bytes} B bodies: {e}")
                    });
                });
            }
        });
    }
    verify_large_frame(address).expect("a frame larger than any buffer comes back whole");
    verify_refusal(address).expect("a length above the limit ends the connection");
    verify_connection(address, 0, 120).expect("the peer serves on after refusing a client");
    program.end_by_sigterm();
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
    Ok(stream)
}

/// Sends frames cut at places that differ per connection while another thread compares what
/// comes back, byte for byte and in order; then nothing more may come.
fn verify_connection(address: SocketAddr, connection: usize, body_bytes: usize) -> io::Result<()> {
    let stream = connect(address)?;
    let sent = frames::sequence(connection as u64, FRAMES, body_bytes);
    std::thread::scope(|scope| {
        let echo = scope.spawn(|| expect_bytes(&stream, &sent));
        for piece in frames::split(&sent, connection as u64) {
            (&stream).write_all(piece)?;
        }
        echo.join()
            .map_err(|_| io::Error::other("the reading thread panicked"))?
    })?;
    stream.shutdown(Shutdown::Write)?;
    expect_end(&stream)
}

/// 1 MiB in one frame: the peer's buffer has to grow.
fn verify_large_frame(address: SocketAddr) -> io::Result<()> {
    let stream = connect(address)?;
    let sent = frames::sequence(99, 1, 1024 * 1024);
    std::thread::scope(|scope| {
        let echo = scope.spawn(|| expect_bytes(&stream, &sent));
        (&stream).write_all(&sent)?;
        echo.join()
            .map_err(|_| io::Error::other("the reading thread panicked"))?
    })
}

/// A length of 4 GiB is refused at once, without waiting for the body.
fn verify_refusal(address: SocketAddr) -> io::Result<()> {
    let mut stream = connect(address)?;
    stream.write_all(&u32::MAX.to_le_bytes())?;
    expect_end(&stream)
}

fn expect_bytes(mut stream: &TcpStream, expected: &[u8]) -> io::Result<()> {
    let mut echoed = vec![0; expected.len()];
    stream.read_exact(&mut echoed)?;
    match expected
        .iter()
        .zip(&echoed)
        .position(|(sent, came)| sent != came)
    {
        None => Ok(()),
        Some(at) => Err(io::Error::other(format!(
            "byte {at} of {} came back wrong",
            expected.len()
        ))),
    }
}

/// Both a close and a reset are an end; silence and further bytes are not.
fn expect_end(mut stream: &TcpStream) -> io::Result<()> {
    match stream.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => Err(io::Error::other("bytes came back that were never sent")),
        Err(e) if e.kind() == io::ErrorKind::ConnectionReset => Ok(()),
        Err(e) => Err(e),
    }
}
