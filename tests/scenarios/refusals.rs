//! What is refused, and how it says so (contract 2.2 to 2.4, 3.4).

use super::{Scenario, ok, refused};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "unknown, empty and upper-case commands",
        signed_in: true,
        steps: &[
            refused("nosuchcommand", "{}", "Unknown command nosuchcommand"),
            refused("", "{}", "Invalid/empty command"),
            refused("console", "{}", "Access denied"),
            ok(
                "QUERY",
                r#"{"collectionname":"$C","query":"{}"}"#,
                "queryreply",
                &["[]"],
                &[],
            ),
        ],
    },
    Scenario {
        name: "JSON that does not parse names its field",
        signed_in: true,
        steps: &[
            refused(
                "query",
                r#"{"collectionname":"$C","query":"{\"a\":"}"#,
                "Invalid JSON in query",
            ),
            refused(
                "query",
                r#"{"collectionname":"$C","query":"{}","projection":"{]"}"#,
                "Invalid JSON in projection",
            ),
            refused(
                "insertone",
                r#"{"collectionname":"$C","item":"{\"a\":1,}"}"#,
                "Invalid JSON in item",
            ),
            refused(
                "insertmany",
                r#"{"collectionname":"$C","items":"[{]"}"#,
                "Invalid JSON in items",
            ),
        ],
    },
    Scenario {
        name: "mandatory fields are named",
        signed_in: true,
        steps: &[
            refused("query", r#"{"query":"{}"}"#, "collectionname is mandatory"),
            refused("query", r#"{"collectionname":"$C"}"#, "Query is mandatory"),
            refused(
                "insertone",
                r#"{"item":"{}"}"#,
                "collectionname is mandatory",
            ),
            refused(
                "insertone",
                r#"{"collectionname":"$C"}"#,
                "Cannot create null item",
            ),
            refused(
                "insertmany",
                r#"{"collectionname":"$C","items":"[]"}"#,
                "Cannot create null item",
            ),
        ],
    },
    Scenario {
        name: "operators that run code and unknown ones are refused",
        signed_in: true,
        steps: &[
            refused(
                "query",
                r#"{"collectionname":"$C","query":"{\"$where\":\"1\"}"}"#,
                "$where",
            ),
            refused(
                "query",
                r#"{"collectionname":"$C","query":"{\"a\":{\"$nope\":1}}"}"#,
                "$nope",
            ),
            refused(
                "query",
                r#"{"collectionname":"$C","query":"{\"a\":{\"$regex\":\"(\"}}"}"#,
                "regular expression",
            ),
        ],
    },
    Scenario {
        name: "getelement echoes without a sign-in",
        signed_in: false,
        steps: &[ok(
            "getelement",
            r#"{"xpath":"//a"}"#,
            "getelement",
            &["Did you say //a ?"],
            &[],
        )],
    },
];
