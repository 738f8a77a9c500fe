//! Which tokens hold: those this server signed, unaltered, until their tick.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use opencore::auth::token::TokenKeys;
use proptest::prelude::*;
use serde_json::{Value, json};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const NOW_MS: i64 = 1_700_000_000_123;
const MINUTE: Duration = Duration::from_secs(60);

fn keys() -> TokenKeys {
    TokenKeys::new(SECRET)
}

fn signed(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).expect("signed")
}

fn claims(exp: Value) -> Value {
    json!({ "data": { "_id": "bob" }, "iat": NOW_MS / 1000, "exp": exp })
}

fn part(value: Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn holds(token: &str) -> bool {
    keys().verify(token, NOW_MS).is_some()
}

#[test]
fn what_is_issued_holds_until_its_tick() {
    let issued = keys().issue("bob", NOW_MS, MINUTE).unwrap();
    assert_eq!(issued.expires_unix_ms, 1_700_000_060_000);
    let verified = keys()
        .verify(&issued.token, issued.expires_unix_ms - 1)
        .unwrap();
    assert_eq!(
        (verified.user_id.as_str(), verified.expires_unix_ms),
        ("bob", 1_700_000_060_000)
    );
    assert!(
        keys()
            .verify(&issued.token, issued.expires_unix_ms)
            .is_none()
    );
    assert!(keys().verify(&issued.token, i64::MAX).is_none());
}

#[test]
fn tokens_of_other_servers_of_the_same_kind_hold() {
    let fuller = json!({ "data": { "_id": "bob", "name": "Bob", "roles": [{ "name": "users" }] }, "iat": 1, "exp": NOW_MS / 1000 + 1 });
    assert!(holds(&signed(Algorithm::HS256, &SECRET[..32], &fuller)));
}

#[test]
fn foreign_and_differently_signed_tokens_are_refused() {
    let later = claims(json!(NOW_MS / 1000 + 60));
    assert!(
        holds(&signed(Algorithm::HS256, &SECRET[..32], &later)),
        "the same, rightly signed"
    );
    assert!(!holds(&signed(
        Algorithm::HS256,
        "another secret of another server",
        &later
    )));
    assert!(
        !holds(&signed(Algorithm::HS256, SECRET, &later)),
        "the whole secret is not the key"
    );
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        assert!(
            !holds(&signed(algorithm, &SECRET[..32], &later)),
            "{algorithm:?}"
        );
    }
}

#[test]
fn unsigned_tokens_are_refused() {
    let later = part(claims(json!(NOW_MS / 1000 + 60)));
    for algorithm in ["none", "None", "NONE", ""] {
        let header = part(json!({ "alg": algorithm, "typ": "JWT" }));
        for token in [format!("{header}.{later}."), format!("{header}.{later}")] {
            assert!(!holds(&token), "{algorithm:?}");
        }
    }
    let issued = keys().issue("bob", NOW_MS, MINUTE).unwrap().token;
    let (unsigned, _) = issued.rsplit_once('.').unwrap();
    assert!(!holds(unsigned) && !holds(&format!("{unsigned}.")));
}

#[test]
fn expiry_must_be_there_and_ahead() {
    let with = |exp: Value| signed(Algorithm::HS256, &SECRET[..32], &claims(exp));
    assert!(
        holds(&with(json!(NOW_MS as f64 / 1000.0 + 0.001))),
        "a fraction of a second is one"
    );
    for exp in [
        json!(NOW_MS / 1000),
        json!(0),
        json!(-1),
        json!(null),
        json!("soon"),
        json!(1e300),
    ] {
        assert!(!holds(&with(exp.clone())), "{exp}");
    }
    let without = json!({ "data": { "_id": "bob" }, "iat": 1 });
    assert!(!holds(&signed(Algorithm::HS256, &SECRET[..32], &without)));
    let mut early = claims(json!(NOW_MS / 1000 + 60));
    early["nbf"] = json!(NOW_MS / 1000 + 1);
    assert!(!holds(&signed(Algorithm::HS256, &SECRET[..32], &early)));
}

#[test]
fn claims_must_name_a_user() {
    for data in [json!(null), json!({}), json!({ "_id": 5 }), json!("bob")] {
        let claims = json!({ "data": data, "exp": NOW_MS / 1000 + 60 });
        assert!(
            !holds(&signed(Algorithm::HS256, &SECRET[..32], &claims)),
            "{claims}"
        );
    }
}

proptest! {
    #[test]
    fn no_altered_token_is_accepted(
        position in any::<prop::sample::Index>(),
        replacement in "[A-Za-z0-9_.=+/ -]",
        user in "[a-z0-9]{1,30}",
    ) {
        let issued = keys().issue(&user, NOW_MS, MINUTE).unwrap().token;
        let position = position.index(issued.len());
        let mut altered = issued.clone();
        altered.replace_range(position..position + 1, &replacement);
        prop_assume!(altered != issued);
        prop_assert!(!holds(&altered));
        let mut shorter = issued.clone();
        shorter.remove(position);
        prop_assert!(!holds(&shorter));
        let mut longer = issued.clone();
        longer.insert_str(position, &replacement);
        prop_assert!(!holds(&longer), "{}", longer);
    }

    #[test]
    fn no_text_is_a_token_by_chance(text in "\\PC{0,200}") {
        prop_assert!(!holds(&text));
    }

    #[test]
    fn claims_cannot_be_swapped_between_tokens(one in "[a-z]{1,8}", two in "[A-Z]{1,8}") {
        let issue = |user: &str| keys().issue(user, NOW_MS, MINUTE).unwrap().token;
        let (one, two) = (issue(&one), issue(&two));
        let claims = |token: &str| token.split('.').nth(1).unwrap().to_owned();
        let swapped = one.replace(&claims(&one), &claims(&two));
        prop_assert!(!holds(&swapped));
    }
}
