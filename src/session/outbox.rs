//! What a session owes its client: encoded messages, gathered for one vectored write.
//!
//! Small messages are appended to one buffer; a payload of at least
//! `limits::GATHER_BYTES_MIN` becomes a segment of its own and is never copied.
//! Bounded in bytes: above `limits::OUTBOX_BYTES_MAX` the session's reader waits
//! ([`Outbox::room`]), so TCP carries the pressure to the client.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use bytes::Bytes;

use crate::limits;
use crate::seam::Ticks;
use crate::wire::frame::{Framing, ws_split};

/// Messages ready to be written, in order.
pub struct Outbox {
    framing: Framing,
    queue: RefCell<Queue>,
    bytes: Cell<usize>,
    /// When the oldest byte that is still unwritten was queued, or a write last made progress.
    waiting_since: Cell<Option<Ticks>>,
    over_since: Cell<Option<Ticks>>,
    closed: Cell<bool>,
    writer: RefCell<Option<Waker>>,
    readers: RefCell<Vec<Waker>>,
}

#[derive(Default)]
struct Queue {
    segments: VecDeque<Bytes>,
    /// Small messages after the last segment.
    tail: Vec<u8>,
    spare: Vec<u8>,
}

/// Segments for one vectored write.
pub type WriteBatch = Vec<Bytes>;

impl Outbox {
    pub fn new(framing: Framing) -> Self {
        Self {
            framing,
            queue: RefCell::default(),
            bytes: Cell::new(0),
            waiting_since: Cell::new(None),
            over_since: Cell::new(None),
            closed: Cell::new(false),
            writer: RefCell::default(),
            readers: RefCell::default(),
        }
    }

    /// Bytes queued or being written.
    pub fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// Queues one message: `head` writes the first `head_bytes` of it, `body` follows.
    pub fn push(
        &self,
        now: Ticks,
        head_bytes: usize,
        head: impl FnOnce(&mut Vec<u8>),
        body: Bytes,
    ) {
        if self.closed.get() {
            return;
        }
        let mut queue = self.queue.borrow_mut();
        let queued = queue.append(self.framing, head_bytes, head, body);
        drop(queue);
        self.queued(now, queued);
    }

    /// Queues bytes of the door's own protocol as they are: a WebSocket pong or close.
    pub fn push_raw(&self, now: Ticks, bytes: &[u8]) {
        if self.closed.get() {
            return;
        }
        self.queue.borrow_mut().tail.extend_from_slice(bytes);
        self.queued(now, bytes.len());
    }

    fn queued(&self, now: Ticks, count: usize) {
        let bytes = self.bytes.get() + count;
        self.bytes.set(bytes);
        if self.waiting_since.get().is_none() {
            self.waiting_since.set(Some(now));
        }
        if bytes > limits::OUTBOX_BYTES_MAX && self.over_since.get().is_none() {
            self.over_since.set(Some(now));
        }
        self.wake_writer();
    }

    /// The next batch to write, or `None` once the outbox is closed and drained.
    /// After the write, [`Outbox::wrote`] must be told.
    pub async fn next_batch(&self) -> Option<WriteBatch> {
        poll_fn(|cx| {
            let batch = self.queue.borrow_mut().take();
            if !batch.is_empty() {
                return Poll::Ready(Some(batch));
            }
            if self.closed.get() {
                return Poll::Ready(None);
            }
            *self.writer.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// `bytes` of the batch have left; the session's reader may go on when there is room again.
    pub fn wrote(&self, now: Ticks, bytes: usize) {
        let left = self.bytes.get().saturating_sub(bytes);
        self.bytes.set(left);
        self.waiting_since.set((left > 0).then_some(now));
        if self.over_since.get().is_some() {
            // A slow reader that does read is slowed down, not closed.
            self.over_since.set(Some(now));
        }
        if left <= limits::OUTBOX_BYTES_MAX / 2 {
            self.over_since.set(None);
            for waker in self.readers.borrow_mut().drain(..) {
                waker.wake();
            }
        }
    }

    /// Gives a buffer back for the next small messages.
    pub fn recycle(&self, buffer: Bytes) {
        if buffer.is_unique() {
            let mut buffer = Vec::from(buffer);
            buffer.clear();
            // An idle session must not keep a large buffer.
            if buffer.capacity() <= limits::READ_BYTES_MAX {
                self.queue.borrow_mut().spare = buffer;
            }
        }
    }

    /// Drops the spare buffer: called for sessions that have been quiet for a while.
    pub fn shrink(&self) {
        self.queue.borrow_mut().spare = Vec::new();
    }

    /// Resolves when the outbox is below its limit, or closed.
    pub async fn room(&self) {
        poll_fn(|cx| {
            if self.closed.get() || self.over_since.get().is_none() {
                return Poll::Ready(());
            }
            self.readers.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Since when the outbox has been over its limit.
    pub fn over_since(&self) -> Option<Ticks> {
        self.over_since.get()
    }

    /// Since when bytes have been waiting without any progress.
    pub fn waiting_since(&self) -> Option<Ticks> {
        self.waiting_since.get()
    }

    /// No more messages; what is queued is still written.
    pub fn close(&self) {
        self.closed.set(true);
        self.wake_writer();
        for waker in self.readers.borrow_mut().drain(..) {
            waker.wake();
        }
    }

    /// Drops what is queued and closes: the client will not read it.
    pub fn abandon(&self) {
        *self.queue.borrow_mut() = Queue::default();
        self.close();
    }

    fn wake_writer(&self) {
        if let Some(waker) = self.writer.borrow_mut().take() {
            waker.wake();
        }
    }
}

impl Queue {
    /// Returns how many bytes were queued.
    fn append(
        &mut self,
        framing: Framing,
        head_bytes: usize,
        head: impl FnOnce(&mut Vec<u8>),
        body: Bytes,
    ) -> usize {
        if self.tail.capacity() == 0 {
            self.tail = std::mem::take(&mut self.spare);
        }
        let message_bytes = head_bytes + body.len();
        if framing.splits(message_bytes) {
            let mut message_head = Vec::with_capacity(head_bytes);
            head(&mut message_head);
            return self.append_split(framing, message_bytes, &message_head, body);
        }
        let before = self.tail.len();
        framing.put_header(message_bytes, &mut self.tail);
        head(&mut self.tail);
        let queued = self.tail.len() - before + body.len();
        if body.len() < limits::GATHER_BYTES_MIN {
            self.tail.extend_from_slice(&body);
        } else {
            self.seal();
            self.segments.push_back(body);
        }
        queued
    }

    /// A message larger than one WebSocket message may be: the Rust client accepts 16 MiB per frame.
    fn append_split(
        &mut self,
        framing: Framing,
        message_bytes: usize,
        head: &[u8],
        body: Bytes,
    ) -> usize {
        let before = self.tail.len();
        framing.put_header(message_bytes, &mut self.tail);
        let mut queued = message_bytes + self.tail.len() - before;
        for (part, (header, range)) in ws_split(message_bytes).enumerate() {
            // The header of the first part is written already.
            if part > 0 {
                self.tail.extend_from_slice(header.as_ref());
                queued += header.as_ref().len();
            }
            if range.start < head.len() {
                self.tail
                    .extend_from_slice(&head[range.start..range.end.min(head.len())]);
            }
            if range.end > head.len() {
                self.seal();
                self.segments.push_back(
                    body.slice(range.start.max(head.len()) - head.len()..range.end - head.len()),
                );
            }
        }
        queued
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.segments
                .push_back(Bytes::from(std::mem::take(&mut self.tail)));
        }
    }

    fn take(&mut self) -> WriteBatch {
        self.seal();
        let count = self.segments.len().min(limits::WRITE_SEGMENTS_MAX);
        self.segments.drain(..count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(outbox: &Outbox, head: &[u8], body: &'static [u8]) {
        let bytes = head.to_vec();
        outbox.push(
            Ticks(1),
            bytes.len(),
            |out| out.extend_from_slice(&bytes),
            Bytes::from_static(body),
        );
    }

    fn batch(outbox: &Outbox) -> WriteBatch {
        futures_util::FutureExt::now_or_never(outbox.next_batch())
            .flatten()
            .expect("a batch is ready")
    }

    #[test]
    fn small_messages_share_one_segment() {
        let outbox = Outbox::new(Framing::LengthPrefix);
        push(&outbox, b"ab", b"c");
        push(&outbox, b"d", b"");
        let batch = batch(&outbox);
        assert_eq!(batch.len(), 1);
        assert_eq!(&batch[0][..], b"\x03\0\0\0abc\x01\0\0\0d");
    }

    #[test]
    fn a_large_body_is_gathered_not_copied() {
        static BODY: [u8; limits::GATHER_BYTES_MIN] = [7; limits::GATHER_BYTES_MIN];
        let outbox = Outbox::new(Framing::LengthPrefix);
        push(&outbox, b"h", &BODY);
        let batch = batch(&outbox);
        assert_eq!(batch.len(), 2);
        assert_eq!(batch[1].as_ptr(), BODY.as_ptr());
    }

    #[test]
    fn above_the_limit_the_reader_waits_until_half_is_written() {
        let outbox = Outbox::new(Framing::Bare);
        let body = Bytes::from(vec![0; limits::OUTBOX_BYTES_MAX + 1]);
        outbox.push(Ticks(5), 0, |_| {}, body);
        assert_eq!(outbox.over_since(), Some(Ticks(5)));
        assert!(futures_util::FutureExt::now_or_never(outbox.room()).is_none());
        outbox.wrote(Ticks(9), limits::OUTBOX_BYTES_MAX / 2 + 2);
        assert_eq!(outbox.over_since(), None);
        assert!(futures_util::FutureExt::now_or_never(outbox.room()).is_some());
    }

    #[test]
    fn a_closed_outbox_drains_and_ends() {
        let outbox = Outbox::new(Framing::Bare);
        push(&outbox, b"x", b"");
        outbox.close();
        push(&outbox, b"late", b"");
        assert_eq!(&batch(&outbox)[0][..], b"x");
        assert!(
            futures_util::FutureExt::now_or_never(outbox.next_batch())
                .expect("ready")
                .is_none()
        );
    }
}
