//! Password hashes: bcrypt (contract 5.4), on another thread, with the same work
//! whether or not the user exists.

use crate::error::{Code, Error, Result, Retry};
use crate::limits;
use crate::seam::{self, Seam};

/// Cost of new hashes and of the work done for users that do not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost(pub u32);

impl Default for Cost {
    /// Contract 5.4.
    fn default() -> Self {
        Cost(12)
    }
}

/// Hashes a password.
///
/// Errors: `Invalid` for an empty password, `TooLarge` above `limits::PASSWORD_BYTES_MAX`.
pub async fn hash(seam: &dyn Seam, cost: Cost, password: &str) -> Result<String> {
    if password.is_empty() {
        return Err(Error::invalid("Password cannot be null"));
    }
    if password.len() > limits::PASSWORD_BYTES_MAX {
        let (size, bound) = (password.len(), limits::PASSWORD_BYTES_MAX);
        return Err(Error::too_large(format!(
            "newpassword has {size} bytes, at most {bound}"
        )));
    }
    let mut salt = [0; 16];
    salt[..8].copy_from_slice(&seam.clock().random_u64().to_le_bytes());
    salt[8..].copy_from_slice(&seam.clock().random_u64().to_le_bytes());
    let password = password.to_owned();
    let hashed = seam::blocking(seam, move || bcrypt::hash_with_salt(password, cost.0, salt)).await;
    let parts = hashed.map_err(|error| {
        Error::backend(
            Code::Internal,
            Retry::Safe,
            "The password could not be hashed",
        )
        .because(error)
    })?;
    Ok(parts.to_string())
}

/// Whether `password` is the one behind `stored`. Without a usable hash the same
/// work is done and the answer is no, so that the time taken does not tell who exists.
pub async fn verify(seam: &dyn Seam, cost: Cost, password: &str, stored: Option<&str>) -> bool {
    let fits = !password.is_empty() && password.len() <= limits::PASSWORD_BYTES_MAX;
    let usable = stored.filter(|hash| fits && is_hash(hash));
    let hash = usable.map_or_else(|| nobody(cost), str::to_owned);
    let password = if fits {
        password.to_owned()
    } else {
        String::from("x")
    };
    let matches = seam::blocking(seam, move || {
        bcrypt::verify(password, &hash).unwrap_or(false)
    })
    .await;
    matches && usable.is_some()
}

/// A bcrypt hash of any variant: `$2a$`, `$2b$`, `$2x$` or `$2y$`.
fn is_hash(text: &str) -> bool {
    text.parse::<bcrypt::HashParts>().is_ok()
}

/// A well-formed hash that no known password has.
fn nobody(cost: Cost) -> String {
    format!("$2b${:02}${:.<53}", cost.0, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::testing::TestSeam;

    const CHEAP: Cost = Cost(4);

    #[test]
    fn a_hash_matches_its_password_only() {
        let seam = TestSeam::new();
        let hash = seam.block_on(hash(&*seam, CHEAP, "secret")).unwrap();
        assert!(hash.starts_with("$2b$04$"), "{hash}");
        assert!(seam.block_on(verify(&*seam, CHEAP, "secret", Some(&hash))));
        assert!(!seam.block_on(verify(&*seam, CHEAP, "Secret", Some(&hash))));
        for variant in ["$2a$", "$2x$", "$2y$"] {
            let hash = hash.replacen("$2b$", variant, 1);
            assert!(
                seam.block_on(verify(&*seam, CHEAP, "secret", Some(&hash))),
                "{variant}"
            );
        }
    }

    #[test]
    fn nobody_has_a_password_but_costs_the_same_work() {
        let seam = TestSeam::new();
        for stored in [None, Some(""), Some("$2b$04$broken")] {
            assert!(!seam.block_on(verify(&*seam, CHEAP, "x", stored)));
        }
        assert!(is_hash(&nobody(CHEAP)), "the work is that of a real hash");
        assert_eq!(seam.blocking_jobs(), 3);
    }

    #[test]
    fn passwords_have_bounds() {
        let seam = TestSeam::new();
        let long = "p".repeat(limits::PASSWORD_BYTES_MAX + 1);
        assert!(seam.block_on(hash(&*seam, CHEAP, &long)).is_err());
        assert!(seam.block_on(hash(&*seam, CHEAP, "")).is_err());
    }
}
