//! Numbers the ledger hands out, kept in the database so that none is used twice.

/// Committed with every group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Number of the newest record of any collection.
    pub record: u64,
    /// Number of the newest collection.
    pub collection: u32,
    /// Sequence of the newest change.
    pub sequence: u64,
    /// Sequence of the oldest change still in the feed; above `sequence` when it is empty.
    pub feed_first: u64,
    /// Bytes that the feed's entries hold.
    pub feed_bytes: u64,
}

impl Counters {
    pub fn encode(&self) -> [u8; 40] {
        let numbers = [
            self.record,
            self.collection.into(),
            self.sequence,
            self.feed_first,
            self.feed_bytes,
        ];
        let mut bytes = [0; 40];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut numbers = bytes
            .chunks_exact(8)
            .filter_map(|number| number.try_into().ok())
            .map(u64::from_le_bytes);
        Some(Self {
            record: numbers.next()?,
            collection: numbers.next()?.try_into().ok()?,
            sequence: numbers.next()?,
            feed_first: numbers.next()?,
            feed_bytes: numbers.next()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Counters;

    #[test]
    fn what_is_stored_is_what_is_read() {
        let counters = Counters {
            record: 1,
            collection: 2,
            sequence: 3,
            feed_first: 4,
            feed_bytes: 5,
        };
        assert_eq!(Counters::decode(&counters.encode()), Some(counters));
        assert_eq!(Counters::decode(b"short"), None);
    }
}
