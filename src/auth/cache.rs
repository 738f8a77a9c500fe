//! Tokens that were verified before: a message with a known token costs one hash
//! lookup, not a signature check (design, decision 15).

use std::collections::HashMap;
use std::rc::Rc;

use super::Identity;
use crate::limits;

/// Verified tokens of one shard, at most `limits::TOKEN_CACHE_MAX`.
#[derive(Default)]
pub struct TokenCache {
    /// The texts are unguessable, so a fast hash cannot be flooded.
    entries: HashMap<Box<str>, Entry, foldhash::fast::RandomState>,
    /// `collection_epoch(Users)` under which every entry was verified.
    epoch: u64,
}

struct Entry {
    identity: Rc<Identity>,
    expires_unix_ms: i64,
}

impl TokenCache {
    /// The identity behind `token`, while neither a user changed nor the token expired.
    pub fn get(&self, token: &str, epoch: u64, unix_ms: i64) -> Option<&Rc<Identity>> {
        let entry = self.entries.get(token).filter(|_| self.epoch == epoch)?;
        (unix_ms < entry.expires_unix_ms).then_some(&entry.identity)
    }

    /// When the token ends, for a token that [`TokenCache::get`] just knew.
    pub fn expires_unix_ms(&self, token: &str) -> Option<i64> {
        self.entries.get(token).map(|entry| entry.expires_unix_ms)
    }

    /// Remembers a token. What was verified under an older epoch is dropped; an identity
    /// that is itself older than the cache is not kept.
    pub fn insert(&mut self, token: &str, identity: Rc<Identity>, expires: i64, unix_ms: i64) {
        if identity.epoch < self.epoch {
            return;
        }
        if identity.epoch > self.epoch {
            self.entries.clear();
            self.epoch = identity.epoch;
        }
        if self.entries.len() >= limits::TOKEN_CACHE_MAX {
            self.entries
                .retain(|_, entry| unix_ms < entry.expires_unix_ms);
        }
        if self.entries.len() >= limits::TOKEN_CACHE_MAX {
            // Verifying anew is cheap enough that order of use is not worth keeping.
            self.entries.clear();
        }
        self.entries.insert(
            token.into(),
            Entry {
                identity,
                expires_unix_ms: expires,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(epoch: u64) -> Rc<Identity> {
        Rc::new(Identity::guest(epoch))
    }

    #[test]
    fn a_token_is_known_until_its_tick_or_a_change() {
        let mut cache = TokenCache::default();
        cache.insert("t", guest(7), 100, 0);
        assert!(cache.get("t", 7, 99).is_some());
        assert!(cache.get("t", 7, 100).is_none());
        assert!(cache.get("t", 8, 99).is_none());
        assert!(cache.get("other", 7, 99).is_none());
    }

    #[test]
    fn an_identity_of_the_past_is_not_kept() {
        let mut cache = TokenCache::default();
        cache.insert("new", guest(8), 100, 0);
        cache.insert("old", guest(7), 100, 0);
        assert!(cache.get("old", 8, 0).is_none());
        cache.insert("newer", guest(9), 100, 0);
        assert!(cache.get("new", 9, 0).is_none());
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut cache = TokenCache::default();
        for index in 0..=limits::TOKEN_CACHE_MAX {
            cache.insert(&index.to_string(), guest(1), 100, 0);
        }
        assert!(cache.entries.len() <= limits::TOKEN_CACHE_MAX);
    }
}
