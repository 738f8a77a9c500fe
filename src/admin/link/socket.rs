//! The socket below a link, and the two tasks that serve it.

use compio::BufResult;
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::{TcpStream, UnixStream};
use compio::runtime::{JoinHandle, spawn};

use super::codec::Inbound;
use super::{Ends, Target, closed_by_server, unavailable};
use crate::error::Result;
use crate::limits::CLIENT_READ_BYTES;

/// Clones share the one descriptor.
#[derive(Clone)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    pub async fn connect(target: &Target) -> Result<Self> {
        let failed = |cause: std::io::Error| unavailable(format!("{target}: {cause}"));
        match target {
            Target::Pipe { path } => {
                let stream = UnixStream::connect(path).await.map_err(failed)?;
                Ok(Self::Unix(stream))
            }
            other => {
                let authority = other.authority().unwrap_or_default();
                let stream = TcpStream::connect(authority).await.map_err(failed)?;
                // Requests are batched already; waiting for more would only add latency.
                stream.set_nodelay(true).map_err(failed)?;
                Ok(Self::Tcp(stream))
            }
        }
    }

    /// Reads into the empty `buffer`; no bytes mean that the peer has ended.
    pub async fn read(&self, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        buffer.clear();
        let BufResult(read, buffer) = match self {
            Self::Tcp(stream) => (&mut &*stream).read(buffer).await,
            Self::Unix(stream) => (&mut &*stream).read(buffer).await,
        };
        match read {
            Ok(0) => Err(closed_by_server()),
            Ok(_) => Ok(buffer),
            Err(cause) => Err(unavailable(format!("reading: {cause}"))),
        }
    }

    /// Writes all of `buffer` and gives it back empty.
    pub async fn write(&self, buffer: Vec<u8>) -> Result<Vec<u8>> {
        let BufResult(written, mut buffer) = match self {
            Self::Tcp(stream) => (&mut &*stream).write_all(buffer).await,
            Self::Unix(stream) => (&mut &*stream).write_all(buffer).await,
        };
        written.map_err(|cause| unavailable(format!("writing: {cause}")))?;
        buffer.clear();
        Ok(buffer)
    }
}

/// Starts reader and writer of a door whose bytes are the socket's bytes.
pub(super) fn start(socket: Socket, inbound: Inbound, ends: &Ends) -> Vec<JoinHandle<()>> {
    let (reader, writer) = (ends.clone(), ends.clone());
    let reading = socket.clone();
    vec![
        spawn(async move {
            let ended = read(reading, inbound, &reader).await;
            reader.closed(ended);
        }),
        spawn(async move {
            if let Err(error) = write(socket, &writer).await {
                writer.closed(Err(error));
            }
        }),
    ]
}

async fn read(socket: Socket, mut inbound: Inbound, ends: &Ends) -> Result<()> {
    ends.deliver(&mut inbound)?;
    let mut buffer = Vec::with_capacity(CLIENT_READ_BYTES);
    loop {
        buffer = socket.read(buffer).await?;
        inbound.feed(&buffer);
        ends.deliver(&mut inbound)?;
    }
}

async fn write(socket: Socket, ends: &Ends) -> Result<()> {
    let mut spare = Vec::new();
    loop {
        ends.signal.wait().await;
        let full = ends.outbound.borrow_mut().take(spare);
        spare = match full.is_empty() {
            true => full,
            false => socket.write(full).await?,
        };
    }
}
