//! The room of the unsafe code: entries that lend a connection's buffer to the kernel.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};

use io_uring::{IoUring, cqueue, opcode, squeue, types};

/// Operations submitted in one turn; more are submitted early.
const RING_ENTRIES: u32 = 4096;
/// `user_data` of the accept; connections use their slot number.
const ACCEPT: u64 = u64::MAX;
/// errno of a client that left before it was accepted.
const ECONNABORTED: i32 = 103;

/// One client. `buffer` is lent to the kernel from [`Ring::receive`] or [`Ring::send`] until
/// the completion; nobody touches it in between.
pub struct Connection {
    socket: TcpStream,
    pub buffer: Vec<u8>,
    /// Bytes at the start of `buffer` that are being echoed; 0 while receiving.
    pub to_send: usize,
    /// Of these, already taken by the kernel.
    pub sent: usize,
}

impl Connection {
    pub fn new(socket: TcpStream, buffer: Vec<u8>) -> Self {
        Self {
            socket,
            buffer,
            to_send: 0,
            sent: 0,
        }
    }

    /// Takes over `bytes` that the kernel wrote behind the buffer's end.
    pub fn received(&mut self, bytes: usize) {
        assert!(bytes <= self.buffer.capacity() - self.buffer.len());
        // SAFETY: the receive was given exactly the spare capacity, its completion says that
        // `bytes` of it are written, and the assertion keeps the length within the capacity.
        unsafe { self.buffer.set_len(self.buffer.len() + bytes) }
    }
}

/// What the kernel reports, one per finished operation.
pub enum Completion {
    /// A new client; without `more` the accept has to be asked for again.
    Accepted { socket: TcpStream, more: bool },
    /// The accept ended without a client and has to be asked for again.
    AcceptEnded,
    /// The receive or send of connection `key` moved `bytes`, at least one.
    Moved { key: usize, bytes: usize },
    /// Connection `key` was closed or broke.
    Ended { key: usize },
}

pub struct Ring {
    uring: IoUring,
}

impl Ring {
    /// # Errors
    /// When the kernel refuses io_uring or is older than 6.1.
    pub fn new() -> io::Result<Self> {
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .build(RING_ENTRIES)?;
        Ok(Self { uring })
    }

    /// Asks for every client to come, by one entry. The caller keeps `listener` open.
    pub fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        self.push(
            opcode::AcceptMulti::new(fd(listener))
                .build()
                .user_data(ACCEPT),
        )
    }

    /// Lends the buffer's spare capacity until the completion.
    pub fn receive(&mut self, key: usize, connection: &mut Connection) -> io::Result<()> {
        let room = connection.buffer.spare_capacity_mut();
        let (start, length) = (room.as_mut_ptr().cast(), entry_bytes(room.len()));
        self.push(
            opcode::Recv::new(fd(&connection.socket), start, length)
                .build()
                .user_data(key as u64),
        )
    }

    /// Lends the bytes still to be sent until the completion.
    pub fn send(&mut self, key: usize, connection: &Connection) -> io::Result<()> {
        let rest = &connection.buffer[connection.sent..connection.to_send];
        let (start, length) = (rest.as_ptr(), entry_bytes(rest.len()));
        let entry = opcode::Send::new(fd(&connection.socket), start, length);
        self.push(entry.build().user_data(key as u64))
    }

    /// Submits what was asked for, waits for at least one completion and appends all there are.
    pub fn turn(&mut self, done: &mut Vec<Completion>) -> io::Result<()> {
        match self.uring.submit_and_wait(1) {
            Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
            _ => {}
        }
        for entry in self.uring.completion() {
            done.push(completion(&entry)?);
        }
        Ok(())
    }

    fn push(&mut self, entry: squeue::Entry) -> io::Result<()> {
        if self.uring.submission().is_full() {
            self.uring.submit()?;
        }
        // SAFETY: the descriptor and the buffer named by `entry` belong to the listener or to a
        // connection that stays in its slot, with its buffer unmoved on the heap and unchanged,
        // until this operation's completion has been taken: it has no other one in flight.
        unsafe { self.uring.submission().push(&entry) }
            .map_err(|_| io::Error::other("the submission queue is full after a submit"))
    }
}

fn completion(entry: &cqueue::Entry) -> io::Result<Completion> {
    let result = entry.result();
    if entry.user_data() != ACCEPT {
        let key = entry.user_data() as usize;
        return Ok(match usize::try_from(result) {
            Ok(bytes) if bytes > 0 => Completion::Moved { key, bytes },
            _ => Completion::Ended { key },
        });
    }
    if result >= 0 {
        // SAFETY: a successful accept hands over a new descriptor that nobody else owns.
        let socket = unsafe { TcpStream::from_raw_fd(result) };
        return Ok(Completion::Accepted {
            socket,
            more: cqueue::more(entry.flags()),
        });
    }
    match -result {
        ECONNABORTED => Ok(Completion::AcceptEnded),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

fn fd(socket: &impl AsRawFd) -> types::Fd {
    let raw: RawFd = socket.as_raw_fd();
    types::Fd(raw)
}

/// An entry counts its bytes in 32 bits; the rest of a longer buffer waits for the next turn.
fn entry_bytes(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
