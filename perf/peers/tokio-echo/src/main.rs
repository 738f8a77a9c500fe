//! The echo on tokio's current-thread runtime (epoll).

use peer::frame::{complete_bytes, keep_tail, new_buffer};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    let options = peer::start();
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?
        .block_on(accept(options))
}

async fn accept(options: peer::Options) -> io::Result<()> {
    let listener = peer::listen(options)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    peer::ready(listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(echo(stream));
    }
}

/// Ends when the client closes, breaks off, or announces too long a frame.
async fn echo(mut stream: TcpStream) {
    let mut buffer = new_buffer();
    while stream
        .read_buf(&mut buffer)
        .await
        .is_ok_and(|read| read > 0)
    {
        let Ok(complete) = complete_bytes(&buffer) else {
            return;
        };
        if complete > 0 && stream.write_all(&buffer[..complete]).await.is_err() {
            return;
        }
        keep_tail(&mut buffer, complete);
    }
}
