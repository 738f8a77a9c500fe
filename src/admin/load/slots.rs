//! Which requests are unanswered: each reply is matched to one request, once.
//!
//! A request's number is its slot plus a multiple of the slot count, so a reply finds
//! its slot by a remainder and a doubled reply finds another number there. On the
//! wire the number is nine base-36 digits, as long as the ids clients make.

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Nine base-36 digits.
pub(super) type Id = [u8; 9];

pub(super) fn id_of(mut number: u64) -> Id {
    let mut id = [b'0'; 9];
    for digit in id.iter_mut().rev() {
        *digit = DIGITS[(number % 36) as usize];
        number /= 36;
    }
    id
}

fn number_of(id: &str) -> Option<u64> {
    match id.len() {
        9 => u64::from_str_radix(id, 36).ok(),
        _ => None,
    }
}

#[derive(Clone, Copy, Default)]
struct Slot {
    number: u64,
    start_ns: u64,
    seq: i32,
    busy: bool,
}

/// An unanswered request that has just been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub number: u64,
    pub start_ns: u64,
    pub seq: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    Taken(Taken),
    /// It was answered before.
    Duplicate,
    /// No such request was ever sent.
    Unknown,
}

pub(super) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Slots {
    pub fn new(count: usize) -> Self {
        let slot = |number| Slot {
            number: number as u64,
            ..Slot::default()
        };
        Self {
            slots: (0..count).map(slot).collect(),
            free: (0..count as u32).rev().collect(),
        }
    }

    pub fn busy(&self) -> u64 {
        (self.slots.len() - self.free.len()) as u64
    }

    /// Takes a free slot; `send` gets the number and returns the sequence number.
    pub fn open(&mut self, start_ns: u64, send: impl FnOnce(u64) -> i32) -> bool {
        let Some(at) = self.free.pop() else {
            return false;
        };
        let count = self.slots.len() as u64;
        let slot = &mut self.slots[at as usize];
        slot.number += count;
        slot.start_ns = start_ns;
        slot.seq = send(slot.number);
        slot.busy = true;
        true
    }

    /// The request a reply names, freeing its slot.
    pub fn close(&mut self, rid: &str) -> Match {
        let Some(number) = number_of(rid) else {
            return Match::Unknown;
        };
        let count = self.slots.len() as u64;
        let at = number % count;
        let slot = &mut self.slots[at as usize];
        if number < count || number > slot.number {
            return Match::Unknown;
        }
        if number < slot.number || !slot.busy {
            return Match::Duplicate;
        }
        slot.busy = false;
        self.free.push(at as u32);
        Match::Taken(Taken {
            number,
            start_ns: slot.start_ns,
            seq: slot.seq,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: u64) -> String {
        String::from_utf8(id_of(number).to_vec()).unwrap()
    }

    #[test]
    fn ids_are_read_back() {
        for number in [0, 35, 36, 123_456_789_012] {
            assert_eq!(number_of(&text(number)), Some(number));
        }
        for wrong in ["", "1", "00000000!", "0000000001"] {
            assert_eq!(number_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_reply_is_counted_once() {
        let mut slots = Slots::new(2);
        let mut sent = Vec::new();
        assert!(slots.open(5, |number| {
            sent.push(number);
            7
        }));
        assert!(slots.open(6, |number| {
            sent.push(number);
            8
        }));
        assert!(!slots.open(9, |_| 0));
        let (first, second) = (text(sent[0]), text(sent[1]));
        let taken = Taken {
            number: sent[1],
            start_ns: 6,
            seq: 8,
        };
        assert_eq!(slots.close(&second), Match::Taken(taken));
        assert_eq!(slots.close(&second), Match::Duplicate);
        assert!(slots.open(10, |_| 9));
        assert_eq!(
            slots.close(&second),
            Match::Duplicate,
            "the slot is used again"
        );
        assert_eq!(slots.close(&text(1_000)), Match::Unknown);
        assert_eq!(slots.close(&text(0)), Match::Unknown);
        assert_eq!(slots.busy(), 2);
        assert!(matches!(slots.close(&first), Match::Taken(_)));
        assert_eq!(slots.busy(), 1);
    }
}
