//! The echo on compio (io_uring), at the version and with the ring flags the product uses.

use compio::BufResult;
use compio::buf::{IntoInner, IoBuf};
use compio::driver::ProactorBuilder;
use compio::io::{AsyncReadExt, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream};
use compio::runtime::RuntimeBuilder;
use peer::frame::{complete_bytes, keep_tail, new_buffer};
use std::io;

fn main() -> io::Result<()> {
    let options = peer::start();
    let mut proactor = ProactorBuilder::new();
    proactor.single_issuer(true).defer_taskrun(true);
    RuntimeBuilder::new()
        .with_proactor(proactor)
        .build()?
        .block_on(accept(options))
}

async fn accept(options: peer::Options) -> io::Result<()> {
    let listener = TcpListener::from_std(peer::listen(options)?)?;
    peer::ready(listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        compio::runtime::spawn(echo(stream)).detach();
    }
}

/// Ends when the client closes, breaks off, or announces too long a frame.
async fn echo(mut stream: TcpStream) {
    let mut buffer = new_buffer();
    loop {
        let BufResult(read, full) = stream.append(buffer).await;
        buffer = full;
        if !read.is_ok_and(|read| read > 0) {
            return;
        }
        let Ok(complete) = complete_bytes(&buffer) else {
            return;
        };
        if complete > 0 {
            let BufResult(written, slice) = stream.write_all(buffer.slice(..complete)).await;
            if written.is_err() {
                return;
            }
            buffer = slice.into_inner();
        }
        keep_tail(&mut buffer, complete);
    }
}
