//! Writes a session's outbox to its socket: one vectored write per batch.

use std::pin::pin;
use std::rc::Rc;

use bytes::{Buf, Bytes};
use futures_util::future::select;

use crate::limits;
use crate::seam::SharedSeam;
use crate::session::{CloseReason, Session};

use super::socket::Socket;

/// Runs until the outbox is closed and drained, then ends the connection gently.
pub async fn run(session: Rc<Session>, socket: Socket, seam: SharedSeam) {
    while let Some(batch) = session.outbox.next_batch().await {
        if write(&session, &socket, &seam, batch).await.is_err() {
            session.close(CloseReason::Network);
            break;
        }
    }
    // A close with unread input would make the kernel throw the last replies away: end our
    // side, let the reader discard what still comes, and cut when the client does not end its.
    socket.finish();
    let read = pin!(session.read());
    select(read, seam.sleep(limits::LINGER_TIMEOUT)).await;
    socket.cut();
    session.set_written();
}

async fn write(
    session: &Session,
    socket: &Socket,
    seam: &SharedSeam,
    mut batch: Vec<Bytes>,
) -> std::io::Result<()> {
    if batch.len() == 1
        && let Some(mut segment) = batch.pop()
    {
        let whole = segment.clone();
        while !segment.is_empty() {
            let (result, mut rest) = socket.write_one(segment).await;
            let count = result?;
            rest.advance(count);
            session.outbox.wrote(seam.clock().now(), count);
            segment = rest;
        }
        drop(segment);
        session.outbox.recycle(whole);
        return Ok(());
    }
    while !batch.is_empty() {
        let (result, rest) = socket.write_some(batch).await;
        let count = result?;
        batch = rest;
        session.outbox.wrote(seam.clock().now(), count);
        advance(&mut batch, count);
    }
    Ok(())
}

/// Drops the first `count` bytes of a batch.
fn advance(batch: &mut Vec<Bytes>, mut count: usize) {
    let mut whole = 0;
    for segment in batch.iter_mut() {
        if segment.len() > count {
            segment.advance(count);
            break;
        }
        count -= segment.len();
        whole += 1;
    }
    batch.drain(..whole);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_write_goes_on_where_it_stopped() {
        let mut batch = vec![
            Bytes::from_static(b"abc"),
            Bytes::from_static(b"def"),
            Bytes::from_static(b"g"),
        ];
        advance(&mut batch, 4);
        assert_eq!(batch, [Bytes::from_static(b"ef"), Bytes::from_static(b"g")]);
        advance(&mut batch, 3);
        assert!(batch.is_empty());
    }
}
