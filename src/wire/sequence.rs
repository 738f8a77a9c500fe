//! Sequence numbers: each direction of a connection counts its messages from 0 (contract 1.4).
//!
//! Both counters are 32 bits signed, as the field is, and wrap from 2^31 - 1 to -2^31;
//! "lower" and "higher" are told by the wrapping difference, so a connection that lives
//! through 2^31 messages goes on.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::error::{Code, Error, Result};
use crate::limits::{REORDER_BYTES_MAX, REORDER_MESSAGES_MAX};

/// What a door makes of `seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceRule {
    /// TCP, pipe, WebSocket: 0, 1, 2, …; what comes early waits for its turn.
    Strict,
    /// gRPC and REST: arrival order is the order.
    Ignored,
}

/// Puts the incoming messages of one connection in order.
///
/// ```
/// # use opencore::wire::sequence::{SequenceRule, Sequencer};
/// # fn demo() -> opencore::error::Result<()> {
/// let mut sequencer = Sequencer::new(SequenceRule::Strict);
/// # let (first, second) = (bytes::Bytes::from_static(b"0"), bytes::Bytes::from_static(b"1"));
/// assert_eq!(sequencer.offer(1, second.clone())?, None);
/// assert_eq!(sequencer.offer(0, first.clone())?, Some(first));
/// assert_eq!(sequencer.next(), Some(second));
/// # Ok(()) }
/// # demo().unwrap();
/// ```
#[derive(Debug)]
pub struct Sequencer {
    rule: SequenceRule,
    expected: i32,
    parked: BTreeMap<i32, Bytes>,
    parked_bytes: usize,
}

impl Sequencer {
    pub fn new(rule: SequenceRule) -> Self {
        Self {
            rule,
            expected: 0,
            parked: BTreeMap::new(),
            parked_bytes: 0,
        }
    }

    /// Whether a message with this number may be handled at once, and nothing parked follows
    /// it; if so it is counted. If not, [`offer`](Self::offer) it.
    #[inline]
    pub fn in_turn(&mut self, seq: i32) -> bool {
        if self.rule == SequenceRule::Ignored {
            return true;
        }
        if seq != self.expected || !self.parked.is_empty() {
            return false;
        }
        self.expected = self.expected.wrapping_add(1);
        true
    }

    /// Takes a message as it arrives. Returns it at once if it is its turn: handle it, then
    /// ask [`next`](Self::next) until that is `None`. Returns `None` if it is parked.
    ///
    /// # Errors
    /// `Protocol` for a number that was seen before, `Exhausted` when more than
    /// [`REORDER_MESSAGES_MAX`] messages or [`REORDER_BYTES_MAX`] bytes would be parked.
    /// Either way the connection must end.
    #[inline]
    pub fn offer(&mut self, seq: i32, frame: Bytes) -> Result<Option<Bytes>> {
        if self.rule == SequenceRule::Ignored {
            return Ok(Some(frame));
        }
        if seq == self.expected {
            self.expected = self.expected.wrapping_add(1);
            return Ok(Some(frame));
        }
        self.park(seq, frame)?;
        Ok(None)
    }

    /// The next parked message whose turn has come.
    #[inline]
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Bytes> {
        if self.parked.is_empty() {
            return None;
        }
        let frame = self.parked.remove(&self.expected)?;
        self.parked_bytes -= frame.len();
        self.expected = self.expected.wrapping_add(1);
        Some(frame)
    }

    /// Messages waiting for a gap to fill, and their bytes.
    pub fn parked(&self) -> (usize, usize) {
        (self.parked.len(), self.parked_bytes)
    }

    #[cold]
    fn park(&mut self, seq: i32, frame: Bytes) -> Result<()> {
        let ahead = seq.wrapping_sub(self.expected);
        if ahead < 0 || self.parked.contains_key(&seq) {
            return Err(Error::protocol(format!(
                "message seq {seq} was seen before, {} is expected: count each message of a \
                 connection once, from 0",
                self.expected
            )));
        }
        let bytes = self.parked_bytes + frame.len();
        if self.parked.len() >= REORDER_MESSAGES_MAX || bytes > REORDER_BYTES_MAX {
            return Err(Error::client(
                Code::Exhausted,
                format!(
                    "message seq {} never came and {} messages of {bytes} bytes wait for it, \
                     at most {REORDER_MESSAGES_MAX} messages or {REORDER_BYTES_MAX} bytes may: \
                     count messages from 0 without gaps",
                    self.expected,
                    self.parked.len() + 1,
                ),
            ));
        }
        self.parked_bytes = bytes;
        self.parked.insert(seq, frame);
        Ok(())
    }
}

/// Numbers the outgoing messages of one connection: 0, 1, 2, …
#[derive(Debug, Default)]
pub struct SequenceCounter {
    next: i32,
}

impl SequenceCounter {
    /// The number of the next message to write. Take it when the place of the message in
    /// the stream is settled: clients stop at a gap.
    #[inline]
    pub fn take(&mut self) -> i32 {
        let seq = self.next;
        self.next = seq.wrapping_add(1);
        seq
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(seq: usize) -> Bytes {
        Bytes::from(seq.to_string())
    }

    #[test]
    fn grpc_and_rest_ignore_the_number() {
        let mut sequencer = Sequencer::new(SequenceRule::Ignored);
        for seq in [0, 0, -5, 9] {
            assert!(sequencer.offer(seq, frame(1)).unwrap().is_some());
        }
        assert_eq!(sequencer.next(), None);
    }

    #[test]
    fn a_number_seen_before_ends_the_connection() {
        let mut sequencer = Sequencer::new(SequenceRule::Strict);
        assert_eq!(
            sequencer.offer(-1, frame(0)).unwrap_err().code,
            Code::Protocol
        );
        assert!(sequencer.offer(0, frame(0)).unwrap().is_some());
        let error = sequencer.offer(0, frame(0)).unwrap_err();
        assert!(error.context.contains("seq 0 was seen before, 1 is"));
        assert!(sequencer.offer(5, frame(5)).unwrap().is_none());
        assert_eq!(
            sequencer.offer(5, frame(5)).unwrap_err().code,
            Code::Protocol
        );
    }

    #[test]
    fn parked_messages_and_bytes_are_bounded() {
        let mut sequencer = Sequencer::new(SequenceRule::Strict);
        for seq in 1..=REORDER_MESSAGES_MAX {
            assert_eq!(sequencer.offer(seq as i32, frame(seq)).unwrap(), None);
        }
        let error = sequencer.offer(500, frame(500)).unwrap_err();
        assert_eq!(error.code, Code::Exhausted);
        assert!(error.context.contains("message seq 0 never came"));

        let mut sequencer = Sequencer::new(SequenceRule::Strict);
        let large = Bytes::from(vec![0; REORDER_BYTES_MAX]);
        assert_eq!(sequencer.offer(1, large).unwrap(), None);
        assert_eq!(
            sequencer.offer(2, frame(2)).unwrap_err().code,
            Code::Exhausted
        );
    }

    #[test]
    fn both_counters_wrap_to_the_lowest_number() {
        let mut sequencer = Sequencer::new(SequenceRule::Strict);
        let mut counter = SequenceCounter { next: i32::MAX };
        sequencer.expected = i32::MAX;
        let (last, first) = (counter.take(), counter.take());
        assert_eq!((last, first), (i32::MAX, i32::MIN));
        assert_eq!(sequencer.offer(first, frame(2)).unwrap(), None);
        assert_eq!(sequencer.offer(last, frame(1)).unwrap(), Some(frame(1)));
        assert_eq!(sequencer.next(), Some(frame(2)));
    }

    proptest! {
        /// Any order in which no message runs more than the window ahead comes out sorted,
        /// each message once, and nothing stays parked.
        #[test]
        fn any_shuffle_within_the_window_comes_out_in_order(
            keys in prop::collection::vec(0usize..REORDER_MESSAGES_MAX, 0..400),
        ) {
            let mut arrival: Vec<usize> = (0..keys.len()).collect();
            arrival.sort_by_key(|seq| seq + keys[*seq]);
            let mut sequencer = Sequencer::new(SequenceRule::Strict);
            let mut waiting = std::collections::BTreeSet::new();
            let mut out = Vec::new();
            for seq in arrival {
                waiting.insert(seq);
                let mut turn = sequencer.offer(seq as i32, frame(seq)).unwrap();
                while let Some(bytes) = turn {
                    prop_assert!(waiting.remove(&out.len()));
                    prop_assert_eq!(&bytes, &frame(out.len()));
                    out.push(bytes);
                    turn = sequencer.next();
                }
                // The model: whatever is not out yet is parked, to the byte.
                let bytes = waiting.iter().map(|seq| frame(*seq).len()).sum();
                prop_assert_eq!(sequencer.parked(), (waiting.len(), bytes));
            }
            prop_assert_eq!(out.len(), keys.len());
        }
    }
}
