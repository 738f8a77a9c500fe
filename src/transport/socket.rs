//! A connected stream, TCP or Unix, as doors use it: buffers go in by value and
//! come back with the result, since the kernel owns them meanwhile.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use compio::buf::{BufResult, IntoInner, IoBufMut};
use compio::io::{AsyncRead, AsyncWrite};
use compio::net::{TcpStream, UnixStream};

use crate::limits;

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection of this shard. Clones share it.
#[derive(Clone)]
pub struct Socket(Rc<Stream>);

impl Socket {
    /// Takes over an accepted descriptor on the current shard's ring.
    pub fn adopt(fd: OwnedFd, unix: bool) -> io::Result<Self> {
        let stream = if unix {
            Stream::Unix(UnixStream::from_std(fd.into())?)
        } else {
            let stream = std::net::TcpStream::from(fd);
            // Replies are already batched by the outbox: Nagle would only delay the last of them.
            stream.set_nodelay(true)?;
            // A peer that vanished without a word is noticed in two minutes, pings or not.
            let keepalive = socket2::TcpKeepalive::new()
                .with_time(Duration::from_secs(60))
                .with_interval(Duration::from_secs(15))
                .with_retries(4);
            socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
            Stream::Tcp(TcpStream::from_std(stream)?)
        };
        Ok(Self(Rc::new(stream)))
    }

    pub fn is_unix(&self) -> bool {
        matches!(*self.0, Stream::Unix(_))
    }

    /// Reads what is there into the free space of `buffer`, waiting for the first byte.
    /// Returns how many bytes came; 0 is the end of the stream.
    pub async fn read(&self, buffer: BytesMut) -> (io::Result<usize>, BytesMut) {
        let free = buffer.uninit();
        let BufResult(result, free) = match &*self.0 {
            Stream::Tcp(stream) => (&mut &*stream).read(free).await,
            Stream::Unix(stream) => (&mut &*stream).read(free).await,
        };
        (result, free.into_inner())
    }

    /// Writes all of one buffer and gives it back.
    pub async fn write_all(&self, buffer: Bytes) -> io::Result<()> {
        let mut rest = buffer;
        while !rest.is_empty() {
            let BufResult(result, returned) = match &*self.0 {
                Stream::Tcp(stream) => (&mut &*stream).write(rest).await,
                Stream::Unix(stream) => (&mut &*stream).write(rest).await,
            };
            rest = returned;
            bytes::Buf::advance(&mut rest, written(result?)?);
        }
        Ok(())
    }

    /// Writes some of a batch, front first; returns how many bytes left.
    pub async fn write_some(&self, batch: Vec<Bytes>) -> (io::Result<usize>, Vec<Bytes>) {
        debug_assert!(batch.len() <= limits::WRITE_SEGMENTS_MAX);
        let BufResult(result, batch) = match &*self.0 {
            Stream::Tcp(stream) => (&mut &*stream).write_vectored(batch).await,
            Stream::Unix(stream) => (&mut &*stream).write_vectored(batch).await,
        };
        (result.and_then(written), batch)
    }

    /// Writes some of one segment.
    pub async fn write_one(&self, segment: Bytes) -> (io::Result<usize>, Bytes) {
        let BufResult(result, segment) = match &*self.0 {
            Stream::Tcp(stream) => (&mut &*stream).write(segment).await,
            Stream::Unix(stream) => (&mut &*stream).write(segment).await,
        };
        (result.and_then(written), segment)
    }

    /// Ends our direction: the peer reads all that was written, then the end.
    pub fn finish(&self) {
        // The peer may have gone first; there is nothing left to end then.
        let _ = match &*self.0 {
            Stream::Tcp(stream) => {
                rustix::net::shutdown(stream.as_fd(), rustix::net::Shutdown::Write)
            }
            Stream::Unix(stream) => {
                rustix::net::shutdown(stream.as_fd(), rustix::net::Shutdown::Write)
            }
        };
    }

    /// Reads and forgets until the peer ends its side or the connection is cut.
    pub async fn discard(&self) {
        let mut buffer = BytesMut::with_capacity(limits::READ_BYTES_MIN);
        loop {
            let (result, returned) = self.read(buffer).await;
            if !result.is_ok_and(|count| count > 0) {
                return;
            }
            buffer = returned;
            buffer.clear();
        }
    }

    /// Ends both directions at once: reads and writes in flight return.
    pub fn cut(&self) {
        // The peer may have gone first; there is nothing left to end then.
        let _ = match &*self.0 {
            Stream::Tcp(stream) => {
                rustix::net::shutdown(stream.as_fd(), rustix::net::Shutdown::Both)
            }
            Stream::Unix(stream) => {
                rustix::net::shutdown(stream.as_fd(), rustix::net::Shutdown::Both)
            }
        };
    }
}

fn written(count: usize) -> io::Result<usize> {
    if count == 0 {
        Err(io::ErrorKind::WriteZero.into())
    } else {
        Ok(count)
    }
}

/// A read buffer that follows its connection: small while idle, large while busy.
pub struct ReadBuffer {
    pub bytes: BytesMut,
    want: usize,
}

impl ReadBuffer {
    pub fn new() -> Self {
        Self {
            bytes: BytesMut::new(),
            want: limits::READ_BYTES_MIN,
        }
    }

    /// Reads more bytes behind those that are there. `needed`: how many the frame in progress still wants.
    /// Returns false at the end of the stream.
    pub async fn fill(&mut self, socket: &Socket, needed: usize) -> io::Result<bool> {
        let space = self.want.max(needed.min(limits::READ_BYTES_MAX));
        if self.bytes.is_empty()
            && self.bytes.capacity() > self.want.max(limits::READ_BYTES_MIN) * 4
        {
            self.bytes = BytesMut::with_capacity(space);
        } else if self.bytes.capacity() - self.bytes.len() < space.min(self.want)
            || self.bytes.capacity() == self.bytes.len()
        {
            self.bytes.reserve(space);
        }
        let free = self.bytes.capacity() - self.bytes.len();
        let (result, bytes) = socket.read(std::mem::take(&mut self.bytes)).await;
        self.bytes = bytes;
        let count = result?;
        if count == free {
            self.want = (self.want * 4).min(limits::READ_BYTES_MAX);
        } else if count < self.want / 8 {
            self.want = (self.want / 2).max(limits::READ_BYTES_MIN);
        }
        Ok(count > 0)
    }
}

impl Default for ReadBuffer {
    fn default() -> Self {
        Self::new()
    }
}
