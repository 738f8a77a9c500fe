//! The echo as a bare io_uring loop: the floor the others are measured from.
//!
//! One ring, one thread. A connection has one operation in flight at a time, a receive or a
//! send, so its buffer is never shared with the kernel twice and a connection that ends has
//! nothing left to cancel. Each turn submits everything the last turn asked for and waits.

mod ring;

use std::io;
use std::mem::ManuallyDrop;

use peer::frame::{complete_bytes, keep_tail, new_buffer};
use ring::{Completion, Connection, Ring};
use slab::Slab;

fn main() -> io::Result<()> {
    let options = peer::start();
    let listener = peer::listen(options)?;
    let mut ring = Ring::new()?;
    ring.accept(&listener)?;
    peer::ready(listener.local_addr()?)?;
    // Never dropped: until the process ends the kernel may hold buffers of connections in here.
    let mut connections = ManuallyDrop::new(Slab::new());
    let mut done = Vec::new();
    loop {
        ring.turn(&mut done)?;
        for completion in done.drain(..) {
            match completion {
                Completion::Accepted { socket, more } => {
                    socket.set_nodelay(true)?;
                    let slot = connections.vacant_entry();
                    let key = slot.key();
                    let connection = slot.insert(Connection::new(socket, new_buffer()));
                    ring.receive(key, connection)?;
                    if !more {
                        ring.accept(&listener)?;
                    }
                }
                Completion::AcceptEnded => ring.accept(&listener)?,
                Completion::Moved { key, bytes } => {
                    advance(&mut ring, &mut connections, key, bytes)?
                }
                Completion::Ended { key } => drop(connections.remove(key)),
            }
        }
    }
}

/// The next step of a connection whose receive or send moved `bytes`.
fn advance(
    ring: &mut Ring,
    connections: &mut Slab<Connection>,
    key: usize,
    bytes: usize,
) -> io::Result<()> {
    let connection = &mut connections[key];
    if connection.to_send == 0 {
        connection.received(bytes);
        match complete_bytes(&connection.buffer) {
            Ok(complete) => connection.to_send = complete,
            Err(_) => {
                connections.remove(key);
                return Ok(());
            }
        }
    } else {
        connection.sent += bytes;
    }
    if connection.sent < connection.to_send {
        return ring.send(key, connection);
    }
    keep_tail(&mut connection.buffer, connection.to_send);
    (connection.sent, connection.to_send) = (0, 0);
    ring.receive(key, connection)
}
