//! The echo on glommio (io_uring, three rings per executor).

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::net::{TcpListener, TcpStream};
use glommio::{LocalExecutorBuilder, Placement};
use peer::frame::{BUFFER_BYTES, complete_bytes};
use std::io;
use std::net::Ipv4Addr;

fn main() -> io::Result<()> {
    let options = peer::start();
    // The executor runs on this thread, which `start` pinned.
    let executor = LocalExecutorBuilder::new(Placement::Fixed(options.core))
        .make()
        .map_err(|e| {
            io::Error::other(format!(
                "{e}; glommio wants RLIMIT_MEMLOCK of 512 KiB or more"
            ))
        })?;
    executor.run(accept(options))
}

async fn accept(options: peer::Options) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
    peer::ready(listener.local_addr()?)?;
    loop {
        let stream = listener.accept().await?;
        stream.set_nodelay(true)?;
        glommio::spawn_local(echo(stream)).detach();
    }
}

/// Ends when the client closes, breaks off, or announces too long a frame.
async fn echo(mut stream: TcpStream) {
    // This reader wants initialised bytes, so the buffer is full of them and `filled` counts.
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..]).await {
            Ok(read) if read > 0 => filled += read,
            _ => return,
        }
        let Ok(complete) = complete_bytes(&buffer[..filled]) else {
            return;
        };
        if complete > 0 && stream.write_all(&buffer[..complete]).await.is_err() {
            return;
        }
        buffer.copy_within(complete..filled, 0);
        filled -= complete;
        if filled == buffer.len() {
            buffer.resize(2 * filled, 0);
        }
    }
}
