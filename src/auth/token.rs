//! Tokens: JSON Web Tokens signed with HS256 (contract 5.2), and the prefixes under
//! which they and basic credentials may come (contract 2.6).
//!
//! Expiry is judged here, to the millisecond and by the caller's clock, because the
//! library would ask the operating system and grants a minute of leeway.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Characters of `aes_secret` that sign.
const SECRET_CHARACTERS: usize = 32;

/// Signs and checks tokens.
pub struct TokenKeys {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

/// A new token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    pub token: String,
    /// First millisecond since 1970 at which it no longer holds.
    pub expires_unix_ms: i64,
}

/// What a token that holds says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub user_id: String,
    pub expires_unix_ms: i64,
}

/// A credential, its prefix taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presented<'a> {
    Jwt(&'a str),
    Basic { username: String, password: String },
}

#[derive(Serialize, Deserialize)]
struct Claims {
    data: Subject,
    #[serde(default)]
    iat: f64,
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
}

#[derive(Serialize)]
struct NewClaims<'a> {
    data: NewSubject<'a>,
    iat: i64,
    exp: i64,
}

#[derive(Serialize)]
struct NewSubject<'a> {
    _id: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Subject {
    _id: String,
}

impl TokenKeys {
    /// `aes_secret`: its first 32 characters are the key.
    pub fn new(aes_secret: &str) -> Self {
        let secret: String = aes_secret.chars().take(SECRET_CHARACTERS).collect();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        validation.leeway = 0;
        Self {
            encoding: EncodingKey::from_secret(secret.as_bytes()),
            decoding: DecodingKey::from_secret(secret.as_bytes()),
            validation,
        }
    }

    /// A text that only the secret determines and that does not tell it.
    pub fn installation(&self) -> String {
        let signed = jsonwebtoken::crypto::sign(b"installation", &self.encoding, Algorithm::HS256);
        signed.unwrap_or_default()
    }

    /// A token for a user. Claims count whole seconds, so it holds for at least `lifetime`
    /// less one second and no longer than `lifetime`.
    pub fn issue(&self, user_id: &str, unix_ms: i64, lifetime: Duration) -> Result<Issued> {
        let iat = unix_ms.div_euclid(1000);
        let exp = iat.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX / 2000));
        let claims = NewClaims {
            data: NewSubject { _id: user_id },
            iat,
            exp,
        };
        let token =
            jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
                .map_err(|error| Error::internal("The token could not be signed").because(error))?;
        Ok(Issued {
            token,
            expires_unix_ms: exp.saturating_mul(1000),
        })
    }

    /// `None`: altered, foreign, of another algorithm, expired, not yet valid, or no token at all.
    /// A token holds while `unix_ms < exp * 1000`.
    pub fn verify(&self, token: &str, unix_ms: i64) -> Option<Verified> {
        let claims: Claims = jsonwebtoken::decode(token, &self.decoding, &self.validation)
            .ok()?
            .claims;
        let expires_unix_ms = milliseconds(claims.exp)?;
        let begins_unix_ms = claims.nbf.map_or(Some(i64::MIN), milliseconds)?;
        let holds = begins_unix_ms <= unix_ms && unix_ms < expires_unix_ms;
        holds.then_some(Verified {
            user_id: claims.data._id,
            expires_unix_ms,
        })
    }
}

fn milliseconds(seconds: f64) -> Option<i64> {
    let in_range = seconds.is_finite() && seconds.abs() < i64::MAX as f64 / 1000.0;
    in_range.then_some((seconds * 1000.0).round() as i64)
}

/// Takes the prefix off a credential. `None`: a `Basic` that cannot be read.
pub fn presented(text: &str) -> Option<Presented<'_>> {
    if let Some(basic) = without_prefix(text, "basic ") {
        let decoded = String::from_utf8(STANDARD.decode(basic.trim()).ok()?).ok()?;
        let (username, password) = decoded.split_once(':')?;
        return Some(Presented::Basic {
            username: username.into(),
            password: password.into(),
        });
    }
    let bare = without_prefix(text, "bearer ").or_else(|| without_prefix(text, "jwt "));
    Some(Presented::Jwt(bare.unwrap_or(text).trim()))
}

fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_come_off() {
        for text in [
            "a.b.c",
            "Bearer a.b.c",
            "bearer a.b.c",
            "jwt a.b.c",
            "JWT a.b.c",
        ] {
            assert_eq!(presented(text), Some(Presented::Jwt("a.b.c")), "{text}");
        }
        let basic = format!("Basic {}", STANDARD.encode("bob:a:b"));
        let expected = Presented::Basic {
            username: "bob".into(),
            password: "a:b".into(),
        };
        assert_eq!(presented(&basic), Some(expected));
        assert_eq!(presented("Basic !"), None);
    }

    #[test]
    fn only_the_first_32_characters_sign() {
        let secret = "0123456789abcdef0123456789abcdef";
        let issued = TokenKeys::new(secret)
            .issue("u", 0, Duration::from_secs(60))
            .unwrap();
        let longer = TokenKeys::new(&format!("{secret}and more"));
        assert_eq!(longer.verify(&issued.token, 0).unwrap().user_id, "u");
    }
}
