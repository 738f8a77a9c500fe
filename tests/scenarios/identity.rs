//! Who signs in, with what (contract 2.5, 4.5, 5.1).

use super::{Scenario, ok, refused};

const ROOT: &str = r#"{"username":"root","password":"correct horse battery staple"}"#;

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "root signs in and is told its roles",
        signed_in: false,
        steps: &[ok(
            "signin",
            ROOT,
            "signinreply",
            &[
                r#""username":"root""#,
                r#""_id":"59f1f6e6f0a22200126638d8""#,
                r#""name":"admins""#,
                r#""name":"users""#,
            ],
            &[],
        )],
    },
    Scenario {
        name: "the name of a user is not case-sensitive",
        signed_in: false,
        steps: &[ok(
            "signin",
            r#"{"username":"ROOT","password":"correct horse battery staple"}"#,
            "signinreply",
            &["jwt"],
            &[],
        )],
    },
    Scenario {
        name: "a wrong password and an unknown user are refused alike",
        signed_in: false,
        steps: &[
            refused(
                "signin",
                r#"{"username":"root","password":"wrong"}"#,
                "root failed logging in using local",
            ),
            refused(
                "signin",
                r#"{"username":"testuser","password":"badpassword"}"#,
                "testuser failed logging in using local",
            ),
        ],
    },
    Scenario {
        name: "sign-in needs a name and a password",
        signed_in: false,
        steps: &[
            refused("signin", "{}", "Username cannot be null"),
            refused(
                "signin",
                r#"{"username":"root"}"#,
                "Password cannot be null",
            ),
        ],
    },
    Scenario {
        name: "a token signs in, an altered one does not",
        signed_in: false,
        steps: &[
            ok("signin", ROOT, "signinreply", &["jwt"], &[]),
            ok(
                "signin",
                r#"{"jwt":"$JWT0"}"#,
                "signinreply",
                &[r#""username":"root""#],
                &[],
            ),
            ok(
                "signin",
                r#"{"jwt":"Bearer $JWT0"}"#,
                "signinreply",
                &[r#""username":"root""#],
                &[],
            ),
            refused(
                "signin",
                r#"{"jwt":"$JWT0x"}"#,
                "Discard signin due to invalid or expired jwt for client at",
            ),
            refused(
                "signin",
                r#"{"jwt":"eyJhbGciOiJub25lIn0.eyJkYXRhIjp7Il9pZCI6IjU5ZjFmNmU2ZjBhMjIyMDAxMjY2MzhkOCJ9fQ."}"#,
                "Discard signin",
            ),
        ],
    },
    Scenario {
        name: "validateonly tells and changes nothing",
        signed_in: true,
        steps: &[
            ok(
                "signin",
                r#"{"username":"root","password":"correct horse battery staple","validateonly":true}"#,
                "signinreply",
                &["root"],
                &[],
            ),
            ok(
                "count",
                r#"{"collectionname":"users","query":"{}"}"#,
                "countreply",
                &["result"],
                &[],
            ),
        ],
    },
    Scenario {
        name: "the configuration comes with the sign-in",
        signed_in: false,
        steps: &[ok(
            "signin",
            ROOT,
            "signinreply",
            &[
                r#"enable_analytics":false"#,
                "openflow_uniqueid",
                "otel_trace_interval",
                "supports_watch",
            ],
            &["aes_secret"],
        )],
    },
    Scenario {
        name: "guest signs in with any password and sees nothing of others",
        signed_in: false,
        steps: &[
            ok(
                "signin",
                r#"{"username":"guest","password":"anything"}"#,
                "signinreply",
                &[r#""username":"guest""#],
                &[r#""name":"users""#],
            ),
            ok(
                "query",
                r#"{"collectionname":"users","query":"{\"username\":\"root\"}"}"#,
                "queryreply",
                &[r#""results":"[]""#],
                &[],
            ),
        ],
    },
    Scenario {
        name: "without a token a message runs as guest",
        signed_in: false,
        steps: &[ok(
            "query",
            r#"{"collectionname":"users","query":"{\"username\":\"root\"}"}"#,
            "queryreply",
            &["[]"],
            &["root"],
        )],
    },
];
