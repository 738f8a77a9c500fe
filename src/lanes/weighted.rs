//! Which lane is next: higher priority first, none starves.

use super::PRIORITY_LANES;

/// Turns per round and lane, lowest priority first.
const WEIGHTS: [u8; PRIORITY_LANES] = [1, 2, 4, 8];

/// Weighted choice between occupied lanes.
///
/// A round gives lane `p` `2^p` turns, higher lanes first. It ends when no occupied
/// lane has turns left, so idle lanes cost nothing, and a lane that stays occupied is
/// picked within [`Weighted::WAIT_PICKS_MAX`] picks.
#[derive(Clone, Debug)]
pub struct Weighted {
    turns: [u8; PRIORITY_LANES],
}

impl Weighted {
    /// Picks of other lanes that an occupied lane waits through at most: two rounds
    /// without its own turns.
    pub const WAIT_PICKS_MAX: usize = 2 * 14;

    pub const fn new() -> Self {
        Self { turns: WEIGHTS }
    }

    /// The lane to take from, or `None` when none is occupied.
    pub fn pick(&mut self, occupied: [bool; PRIORITY_LANES]) -> Option<usize> {
        if let Some(lane) = self.take_turn(occupied) {
            return Some(lane);
        }
        if !occupied.contains(&true) {
            return None;
        }
        self.turns = WEIGHTS;
        self.take_turn(occupied)
    }

    fn take_turn(&mut self, occupied: [bool; PRIORITY_LANES]) -> Option<usize> {
        let lane = (0..PRIORITY_LANES)
            .rev()
            .find(|&lane| occupied[lane] && self.turns[lane] > 0)?;
        self.turns[lane] -= 1;
        Some(lane)
    }
}

impl Default for Weighted {
    fn default() -> Self {
        Self::new()
    }
}
