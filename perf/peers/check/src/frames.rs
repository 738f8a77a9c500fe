//! Frames whose bytes can be told apart, and unkind ways to cut them.

/// `count` frames in a row, lengths included. Each body starts with its number, and `seed`
/// makes the rest differ between connections, so a mixed-up echo cannot look right.
pub fn sequence(seed: u64, count: usize, body_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(count * (4 + body_bytes));
    let mut noise = Noise::new(seed);
    for number in 0..count {
        let length = u32::try_from(body_bytes).expect("bodies are far below 4 GiB");
        bytes.extend(length.to_le_bytes());
        let body = bytes.len();
        bytes.extend((0..body_bytes.div_ceil(8)).flat_map(|_| noise.next().to_le_bytes()));
        bytes.truncate(body + body_bytes);
        let stamp = (number as u64).to_le_bytes();
        let stamped = stamp.len().min(body_bytes);
        bytes[body..body + stamped].copy_from_slice(&stamp[..stamped]);
    }
    bytes
}

/// Cuts `bytes` into pieces of 1 byte to 12 KiB: inside the length, between length and body,
/// inside the body, and over several frames.
pub fn split(bytes: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut noise = Noise::new(!seed);
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let size = match noise.next() % 4 {
            0 => 1 + noise.next() % 7,
            1 => 4,
            2 => 1 + noise.next() % 500,
            _ => 1 + noise.next() % (12 * 1024),
        };
        let (piece, left) = rest.split_at(rest.len().min(size as usize));
        pieces.push(piece);
        rest = left;
    }
    pieces
}

/// SplitMix64: the same numbers on every machine.
struct Noise(u64);

impl Noise {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_whole_and_cut_inside_lengths() {
        let bytes = sequence(7, 50, 120);
        assert_eq!(bytes.len(), 50 * 124);
        let pieces = split(&bytes, 7);
        assert_eq!(pieces.concat(), bytes);
        let mut end = 0;
        let cuts = pieces.iter().map(|piece| {
            end += piece.len();
            end % 124
        });
        assert!(cuts.filter(|cut| (1..4).contains(cut)).count() > 0);
    }

    #[test]
    fn sequences_of_two_seeds_differ() {
        assert_ne!(sequence(1, 2, 120), sequence(2, 2, 120));
        assert_eq!(sequence(1, 2, 120), sequence(1, 2, 120));
    }
}
