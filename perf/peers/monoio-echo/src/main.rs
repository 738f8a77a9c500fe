//! The echo on monoio (io_uring).

use monoio::buf::{IoBuf, IoBufMut};
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use peer::frame::{complete_bytes, keep_tail, new_buffer};
use std::io;

/// Operations submitted at once; 64 connections have at most 64.
const RING_ENTRIES: u32 = 4096;

fn main() -> io::Result<()> {
    let options = peer::start();
    monoio::RuntimeBuilder::<monoio::IoUringDriver>::new()
        .with_entries(RING_ENTRIES)
        .build()?
        .block_on(accept(options))
}

async fn accept(options: peer::Options) -> io::Result<()> {
    let listener = TcpListener::from_std(peer::listen(options)?)?;
    peer::ready(listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        monoio::spawn(echo(stream));
    }
}

/// Ends when the client closes, breaks off, or announces too long a frame.
async fn echo(mut stream: TcpStream) {
    let mut buffer = new_buffer();
    loop {
        let filled = buffer.len();
        let (read, slice) = stream.read(buffer.slice_mut(filled..)).await;
        buffer = slice.into_inner();
        if !read.is_ok_and(|read| read > 0) {
            return;
        }
        let Ok(complete) = complete_bytes(&buffer) else {
            return;
        };
        if complete > 0 {
            let (written, slice) = stream.write_all(buffer.slice(..complete)).await;
            if written.is_err() {
                return;
            }
            buffer = slice.into_inner();
        }
        keep_tail(&mut buffer, complete);
    }
}
